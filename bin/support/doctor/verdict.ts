/** Results of checks. */

/** What a check found: all is well, it is skipped, or somebody must fix something. */
export interface Verdict {
  readonly state: 'ok' | 'skipped' | 'fix';
  /** Half a sentence. For `fix` it also says what to do. */
  readonly says: string;
}

export const ok = (says: string): Verdict => ({ state: 'ok', says });
export const skipped = (says: string): Verdict => ({ state: 'skipped', says });
export const fix = (says: string): Verdict => ({ state: 'fix', says });

/** The reason to skip a check of a webhook: the stack does not have this webhook. */
export const NOT_RECEIVED = 'the setting `providers` leaves this provider out';

/** One line of the doctor. If `look` throws, the error is something to fix. */
export interface Check {
  readonly name: string;
  look(): Promise<Verdict>;
}
