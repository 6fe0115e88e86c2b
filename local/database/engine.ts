/** Starts the engine, and restarts it after a crash. */
import type { DataFolder } from '../data-folder.ts';
import { messageOf } from '../files.ts';
import { pause } from '../pause.ts';
import { assertPortFree, freePort, originOf } from '../ports.ts';
import { type EngineProcess, startEngineProcess } from './engine-process.ts';

const PURPOSE = 'DynamoDB';
/** Another program may take a port between the moment when it was found free and the engine's start. */
const FREE_PORT_ATTEMPTS = 5;
const MAX_RESTART_DELAY_MS = 5_000;

/** A running DynamoDB-compatible engine. */
interface Engine {
  /** Such as `http://127.0.0.1:8788`. */
  readonly endpoint: string;
  /** The current process; a restart changes it. */
  readonly pid: number;
  stop(): Promise<void>;
}

interface EngineOptions {
  readonly folder: DataFolder;
  /** 0 takes a free one. */
  readonly port: number;
  readonly report: (line: string) => void;
}

/**
 * Starts the embedded engine on the folder's data and returns when it answers. If it crashes later, it is started again
 * on the same port and data.
 *
 * @throws Error if the port is taken, no engine is installed, or it does not answer.
 */
export async function startEngine({ folder, port, report }: EngineOptions): Promise<Engine> {
  let current = port === 0 ? await startOnFreePort(folder, report) : await startOnPort(folder, port, report);
  const stopping = new AbortController();

  const supervision = (async () => {
    for (;;) {
      const how = await current.exited;
      if (stopping.signal.aborted) return;
      report(`DynamoDB stopped by itself (${how}); starting it again`);
      const next = await restart(folder, current.port, report, stopping.signal);
      if (next === undefined) return;
      current = next;
    }
  })();

  return {
    endpoint: originOf(current.port),
    get pid() {
      return current.pid;
    },
    async stop() {
      stopping.abort();
      await current.end();
      await supervision;
    },
  };
}

type Report = EngineOptions['report'];

async function startOnPort(folder: DataFolder, port: number, report: Report): Promise<EngineProcess> {
  await assertPortFree(port, PURPOSE);
  return startEngineProcess(folder, port, report);
}

async function startOnFreePort(folder: DataFolder, report: Report): Promise<EngineProcess> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startEngineProcess(folder, await freePort(PURPOSE), report);
    } catch (error) {
      if (attempt === FREE_PORT_ATTEMPTS) throw error;
    }
  }
}

/** Retries until it runs; undefined if it is stopped meanwhile. */
async function restart(
  folder: DataFolder,
  port: number,
  report: Report,
  stopping: AbortSignal,
): Promise<EngineProcess | undefined> {
  for (let delayMs = 100; !stopping.aborted; delayMs = Math.min(delayMs * 2, MAX_RESTART_DELAY_MS)) {
    try {
      const started = await startEngineProcess(folder, port, report);
      if (!stopping.aborted) return started;
      await started.end();
    } catch (error) {
      if (stopping.aborted) break;
      report(messageOf(error));
      await pause(delayMs, stopping);
    }
  }
  return undefined;
}
