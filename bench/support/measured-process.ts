/** Runs a bundle in its own process, which measures it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** What loading a bundle took, or the invocations of one call together. */
export interface Took {
  readonly wallMs: number;
  /** User and system time of all threads. */
  readonly cpuMs: number;
}

export interface Measured extends Took {
  readonly results: readonly unknown[];
}

export type FromWorker = { readonly loaded: Took } | { readonly measured: Measured } | { readonly error: string };

export interface MeasuredProcess {
  readonly loaded: Took;
  /**
   * Invokes the handler for each event, one after the other.
   *
   * @throws Error unless every invocation succeeds
   */
  invoke(...events: readonly unknown[]): Promise<Measured>;
  /** Calling it again waits for the same. */
  stop(): Promise<void>;
}

/** @throws Error if the bundle does not load */
export async function startMeasured(
  script: string,
  bundle: string,
  environment: Readonly<Record<string, string>>,
): Promise<MeasuredProcess> {
  const child = fork(script, [bundle], {
    env: { PATH: process.env['PATH'] ?? '', TZ: ':UTC', ...environment },
    // Without this the child inherits the flags of this process, such as a TypeScript loader.
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const first = await answer(child);
  if (!('loaded' in first)) throw new Error(`Cannot load ${bundle}: ${JSON.stringify(first)}`);
  return {
    loaded: first.loaded,
    async invoke(...events) {
      const answered = answer(child);
      child.send(events.map((event) => JSON.stringify(event)));
      const message = await answered;
      if (!('measured' in message)) throw new Error(`Cannot measure ${bundle}: ${JSON.stringify(message)}`);
      const failure = message.measured.results.find((result) => !isSuccess(result));
      if (failure !== undefined) throw new Error(`Cannot measure ${bundle}: it returned ${JSON.stringify(failure)}`);
      return message.measured;
    },
    async stop() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

function answer(child: ChildProcess): Promise<FromWorker> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`Cannot measure: the process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message: FromWorker) => {
      child.off('exit', ended);
      resolve(message);
    });
  });
}

/** A receiver answers 200; a worker reports no failed record. */
function isSuccess(result: unknown): boolean {
  if (typeof result !== 'object' || result === null) return false;
  if ('statusCode' in result) return result.statusCode === 200;
  return (
    'batchItemFailures' in result && Array.isArray(result.batchItemFailures) && result.batchItemFailures.length === 0
  );
}
