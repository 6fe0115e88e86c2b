/**
 * Runs in a process of its own, as Lambda's runtime does: loads one bundle, then measures invocations of its handler.
 * Plain Node runs it, after the types are taken out; so it imports types only.
 */
import { createRequire } from 'node:module';
import type { FromWorker, Loaded, Measured } from './measured-process.ts';

const send = (message: FromWorker) => process.send?.(message);
const context = {
  awsRequestId: 'bench',
  getRemainingTimeInMillis: () => 180_000,
};

// Whoever started it is gone: nobody waits for an answer any more.
process.on('disconnect', () => process.exit());

try {
  const require = createRequire(import.meta.url);
  const clock = startClock();
  const { handler } = require(process.argv[2] ?? '');
  const loaded: Loaded = { ...clock(), rssBytes: process.memoryUsage.rss() };
  process.on('message', async (texts: readonly string[]) => {
    try {
      const events: unknown[] = texts.map((text) => JSON.parse(text));
      const results: unknown[] = [];
      const clock = startClock();
      for (const event of events) results.push(await handler(event, context));
      // Linux and macOS differ in the unit; Node gives kilobytes on both.
      const measured: Measured = { ...clock(), peakRssBytes: process.resourceUsage().maxRSS * 1024, results };
      send({ measured });
    } catch (error) {
      send({ error: String(error instanceof Error ? error.stack : error) });
    }
  });
  send({ loaded });
} catch (error) {
  send({ error: String(error instanceof Error ? error.stack : error) });
}

/** @returns what gives the wall-clock time and the CPU time, of all threads, since the start */
function startClock(): () => { wallMs: number; cpuMs: number } {
  const cpu = process.cpuUsage();
  const startedAtMs = performance.now();
  return () => {
    const wallMs = performance.now() - startedAtMs;
    const { user, system } = process.cpuUsage(cpu);
    return { wallMs, cpuMs: (user + system) / 1000 };
  };
}
