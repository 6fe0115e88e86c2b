/** One process of a function, seen from outside. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { signalGroup, spawnLeashed } from '../processes.ts';

/** A message to a function's process: one invocation. */
export interface ToWorker {
  readonly requestId: string;
  /** JSON text. */
  readonly event: string;
  /** Unix milliseconds when the invocation's time is over. */
  readonly deadlineMs: number;
  readonly functionArn: string;
}

/** An error in the form in which Lambda reports it. */
export interface WorkerError {
  readonly errorType: string;
  readonly errorMessage: string;
}

/** What a function's process answers. `payload` is JSON text. */
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'unusable'; readonly error: WorkerError }
  | { readonly type: 'result'; readonly requestId: string; readonly payload: string }
  | { readonly type: 'error'; readonly requestId: string; readonly error: WorkerError };

/** The outcome of one invocation. `payload` is JSON text. */
export type InvocationOutcome = { readonly payload: string } | { readonly error: WorkerError };

interface WorkerOptions {
  /** The file made of function-worker.ts. */
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The bundle's folder. */
  readonly cwd: string;
  /** Gets each line that the function prints. */
  readonly onOutput: (line: string) => void;
}

/** As long as Lambda gives a function to load (Developer Guide, "Lambda execution environment lifecycle"). */
const LOAD_TIMEOUT_MS = 10_000;

/** One process of one function. It takes one invocation at a time, and is thrown away after a crash or a timeout. */
export class WorkerProcess {
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #ready: Promise<InvocationOutcome>;
  #settle: ((outcome: InvocationOutcome) => void) | undefined;
  #usable = true;

  constructor(options: WorkerOptions) {
    this.#child = spawnLeashed(process.execPath, [options.script], {
      cwd: options.cwd,
      env: options.environment,
      messages: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) forEachLine(stream, options.onOutput);
    this.#child.on('message', (message: FromWorker) => {
      if (message.type === 'ready') this.#finish({ payload: 'null' });
      else if (message.type === 'result') this.#finish({ payload: message.payload });
      else this.#finish({ error: message.error }, message.type === 'error');
    });
    this.exited = new Promise((resolve) => {
      const crashed = (how: string) => {
        const errorMessage = `Runtime exited with error: ${how}`;
        this.#finish({ error: { errorType: 'Runtime.ExitError', errorMessage } }, false);
        resolve();
      };
      this.#child.once('error', (error) => crashed(error.message));
      this.#child.once('exit', (code, signal) => crashed(signal ? `signal: ${signal}` : `exit status ${code}`));
    });
    this.#ready = this.#exchange(LOAD_TIMEOUT_MS);
  }

  /** False once the process cannot take another invocation. */
  get usable(): boolean {
    return this.#usable;
  }

  /** Runs one invocation; never rejects. A function that fails to load fails its invocation. */
  async invoke(message: Omit<ToWorker, 'deadlineMs'>, timeoutMs: number): Promise<InvocationOutcome> {
    const loaded = await this.#ready;
    if ('error' in loaded) {
      this.kill();
      return loaded;
    }
    const outcome = this.#exchange(timeoutMs);
    const invocation: ToWorker = { ...message, deadlineMs: Date.now() + timeoutMs };
    // A process that dies at this moment reports so by its exit.
    this.#child.send(invocation, () => undefined);
    return outcome;
  }

  /** Ends the process and all that it started. */
  kill(): void {
    this.#usable = false;
    signalGroup(this.#child, 'SIGKILL');
  }

  #exchange(timeoutMs: number): Promise<InvocationOutcome> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.kill();
        const errorMessage = `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`;
        this.#finish({ error: { errorType: 'Sandbox.Timedout', errorMessage } }, false);
      }, timeoutMs);
      this.#settle = (outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
    });
  }

  #finish(outcome: InvocationOutcome, usable = true): void {
    if (!usable) this.#usable = false;
    this.#settle?.(outcome);
    this.#settle = undefined;
  }
}

function forEachLine(stream: Readable | null, onLine: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on('line', onLine);
}
