/** Results of checks. */

/** What a check found: all is well, it could not or need not be looked at, or something is to be mended. */
export interface Verdict {
  readonly state: 'ok' | 'skipped' | 'mend';
  /** Half a sentence; for `mend` with what to do. */
  readonly says: string;
}

export const ok = (says: string): Verdict => ({ state: 'ok', says });
export const skipped = (says: string): Verdict => ({ state: 'skipped', says });
export const mend = (says: string): Verdict => ({ state: 'mend', says });

/** Why a check of a webhook is skipped that the stack does not have. */
export const NOT_RECEIVED = 'the setting `providers` leaves it out';

/** One line of the doctor's. What `look` throws is something to mend. */
export interface Check {
  readonly name: string;
  look(): Promise<Verdict>;
}
