/** Providers post in batches, and again after a failure: what is new may have happened a while ago. */
const LATE_MS = 10 * 60_000;

/** From when on to look for what came since then. */
export function sentAfter(since: string | undefined): string | undefined {
  return since === undefined ? undefined : new Date(Date.parse(since) - LATE_MS).toISOString();
}
