/** A function of the stack, in processes of this machine. */
import { randomUUID } from 'node:crypto';
import { LogFile } from '../log-file.ts';
import { type WorkerError, WorkerProcess } from './worker-process.ts';

/** Most processes of one function at a time, so that a burst does not take the whole machine. */
const MAX_PROCESSES = 10;

/** Lambda's quota for the event of a synchronous invocation. It counts a body in base64. */
export const MAX_EVENT_BYTES = 6 * 1024 * 1024;

/** The function failed: it threw, crashed, or ran out of time. */
export class FunctionError extends Error {
  override readonly name = 'FunctionError';
  readonly errorType: string;
  readonly requestId: string;

  constructor(error: WorkerError, requestId: string) {
    super(error.errorMessage);
    this.errorType = error.errorType;
    this.requestId = requestId;
  }
}

/** All of the function's reserved concurrency is in use. */
export class ThrottledError extends Error {
  override readonly name = 'ThrottledError';
}

interface Invocation {
  readonly requestId: string;
  /** What the handler returned, as its JSON says. */
  readonly payload: unknown;
}

/** What event sources need of a function. */
export interface Invocable {
  readonly logicalId: string;
  readonly arn: string;
  /**
   * @param whenBusy with `refuse`, as for HTTP, an invocation beyond the reserved concurrency fails at once
   * @throws FunctionError, ThrottledError
   */
  invoke(event: unknown, whenBusy?: 'wait' | 'refuse'): Promise<Invocation>;
}

interface LocalFunctionOptions {
  readonly logicalId: string;
  readonly arn: string;
  readonly taskRoot: string;
  readonly workerScript: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly reservedConcurrency?: number | undefined;
  readonly logFile: string;
  readonly report: (line: string) => void;
}

/** One function with its processes: warm ones are used again, one invocation at a time each, as in Lambda. */
export class LocalFunction implements Invocable {
  readonly logicalId: string;
  readonly arn: string;
  readonly #options: LocalFunctionOptions;
  readonly #log: LogFile;
  readonly #limit: number;
  readonly #idle: WorkerProcess[] = [];
  readonly #busy = new Set<WorkerProcess>();
  /** The last invocation of each process, for its log lines: some arrive after the answer. */
  readonly #lastRequestId = new WeakMap<WorkerProcess, string>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #stopped = false;

  constructor(options: LocalFunctionOptions) {
    this.logicalId = options.logicalId;
    this.arn = options.arn;
    this.#options = options;
    this.#limit = Math.min(options.reservedConcurrency ?? MAX_PROCESSES, MAX_PROCESSES);
    this.#log = new LogFile(options.logFile, options.report);
  }

  async invoke(event: unknown, whenBusy: 'wait' | 'refuse' = 'wait'): Promise<Invocation> {
    const { logicalId, reservedConcurrency, report } = this.#options;
    const inUse = this.#running + this.#waiting.length;
    if (whenBusy === 'refuse' && reservedConcurrency !== undefined && inUse >= reservedConcurrency) {
      throw new ThrottledError(
        `Cannot invoke ${logicalId}: all of its reserved concurrency (${reservedConcurrency}) is in use`,
      );
    }
    const waiting = this.#takeSlot();
    if (waiting !== undefined) await waiting;
    const requestId = randomUUID();
    try {
      return await this.#run(event, requestId);
    } catch (error) {
      if (error instanceof FunctionError && !this.#stopped) {
        report(`${logicalId} failed: ${error.message} (request ${requestId} in ${this.#options.logFile})`);
      }
      throw error;
    } finally {
      this.#freeSlot();
    }
  }

  /** Takes no more invocations, waits for running ones as long as `graceMs`, and ends all processes. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    for (const worker of this.#idle) worker.kill();
    const timer = setTimeout(() => {
      for (const worker of this.#busy) worker.kill();
    }, graceMs);
    await Promise.all([...this.#idle, ...this.#busy].map((worker) => worker.exited));
    clearTimeout(timer);
    await this.#log.close();
  }

  /** Takes a slot at once, or returns a promise of one. */
  #takeSlot(): Promise<void> | undefined {
    if (this.#running >= this.#limit) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#running++;
    return undefined;
  }

  /** Hands the slot to the caller that has waited longest. */
  #freeSlot(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }

  async #run(event: unknown, requestId: string): Promise<Invocation> {
    if (this.#stopped) throw new Error(`Cannot invoke ${this.#options.logicalId}: local mode is stopping`);
    const worker = this.#takeWorker(requestId);
    const startedAtMs = performance.now();
    const message = { requestId, event: JSON.stringify(event), functionArn: this.arn };
    const outcome = await worker.invoke(message, this.#options.timeoutMs);
    this.#busy.delete(worker);
    if (this.#stopped || !worker.usable) worker.kill();
    else this.#idle.push(worker);
    const took = `${(performance.now() - startedAtMs).toFixed(0)} ms`;
    if ('error' in outcome) {
      this.#write(requestId, `FAILED after ${took}: ${outcome.error.errorType}: ${outcome.error.errorMessage}`);
      throw new FunctionError(outcome.error, requestId);
    }
    this.#write(requestId, `DONE in ${took}`);
    return { requestId, payload: JSON.parse(outcome.payload) };
  }

  #takeWorker(requestId: string): WorkerProcess {
    // The process that was used last is the warmest. An idle process may have ended.
    let worker = this.#idle.pop();
    while (worker !== undefined && !worker.usable) worker = this.#idle.pop();
    worker ??= this.#startWorker();
    this.#busy.add(worker);
    this.#lastRequestId.set(worker, requestId);
    return worker;
  }

  #startWorker(): WorkerProcess {
    const { workerScript, environment, taskRoot } = this.#options;
    const worker: WorkerProcess = new WorkerProcess({
      script: workerScript,
      environment,
      cwd: taskRoot,
      onOutput: (line) => this.#write(this.#lastRequestId.get(worker) ?? '-', line),
    });
    return worker;
  }

  #write(requestId: string, line: string): void {
    this.#log.write(`${new Date().toISOString()} ${requestId} ${line}`);
  }
}
