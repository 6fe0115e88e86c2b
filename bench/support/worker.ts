/**
 * Loads one bundle, as Lambda's runtime does, and measures invocations of its handler. Runs on plain Node after the types
 * are stripped, so it imports only types from other files of the project.
 */
import { createRequire } from 'node:module';
import type { FromWorker, Took } from './measured-process.ts';

const send = (message: FromWorker) => process.send?.(message);
const context = { awsRequestId: 'bench', getRemainingTimeInMillis: () => 60_000 };

process.on('disconnect', () => process.exit());

try {
  const require = createRequire(import.meta.url);
  const clock = startClock();
  const { handler } = require(process.argv[2] ?? '');
  const loaded = clock();
  process.on('message', async (texts: readonly string[]) => {
    try {
      const events: unknown[] = texts.map((text) => JSON.parse(text));
      const results: unknown[] = [];
      const clock = startClock();
      for (const event of events) results.push(await handler(event, context));
      send({ measured: { ...clock(), results } });
    } catch (error) {
      send({ error: String(error instanceof Error ? error.stack : error) });
    }
  });
  send({ loaded });
} catch (error) {
  send({ error: String(error instanceof Error ? error.stack : error) });
}

/** @returns a function that returns wall-clock time and CPU time, of all threads, since the start */
function startClock(): () => Took {
  const cpu = process.cpuUsage();
  const startedAtMs = performance.now();
  return () => {
    const wallMs = performance.now() - startedAtMs;
    const { user, system } = process.cpuUsage(cpu);
    return { wallMs, cpuMs: (user + system) / 1000 };
  };
}
