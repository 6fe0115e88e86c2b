/** Results of checks. */

/** What a check found: all is well, it is skipped, or somebody must fix something. */
export interface Verdict {
  readonly state: 'ok' | 'skipped' | 'fix';
  /** Half a sentence; for `fix` with what to do. */
  readonly says: string;
}

export const ok = (says: string): Verdict => ({ state: 'ok', says });
export const skipped = (says: string): Verdict => ({ state: 'skipped', says });
export const fix = (says: string): Verdict => ({ state: 'fix', says });

/** Why a check of a webhook is skipped that the stack does not have. */
export const NOT_RECEIVED = 'the setting `providers` leaves this provider out';

/** One line of the doctor's. What `look` throws is something to fix. */
export interface Check {
  readonly name: string;
  look(): Promise<Verdict>;
}
