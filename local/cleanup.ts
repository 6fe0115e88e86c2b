/** Steps to undo at the end. */
import { messageOf } from './files.ts';

/** Collects steps, and undoes the last one first. A further `run` waits for the same. */
export class Cleanup {
  readonly #steps: { readonly what: string; readonly undo: () => Promise<void> | void }[] = [];
  #running: Promise<void> | undefined;
  #report: ((problem: string) => void) | undefined;

  /** Adds a step to undo. After `run`, the step is undone at once. */
  defer(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
    const report = this.#report;
    if (report) this.#running = this.#running?.then(() => this.#undoAll(report));
  }

  /** Undoes everything. A step that fails is reported and does not keep the others from running. */
  run(report: (problem: string) => void): Promise<void> {
    this.#report ??= report;
    this.#running ??= this.#undoAll(report);
    return this.#running;
  }

  async #undoAll(report: (problem: string) => void): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        report(`Cannot ${step.what}: ${messageOf(error)}`);
      }
    }
  }
}

/** Runs a start that adds its steps to a cleanup. If the start fails, its steps are undone. */
export async function startOrUndo<Started>(
  start: (cleanup: Cleanup) => Promise<Started>,
  report: (problem: string) => void,
): Promise<Started> {
  const cleanup = new Cleanup();
  try {
    return await start(cleanup);
  } catch (error) {
    await cleanup.run(report);
    throw error;
  }
}
