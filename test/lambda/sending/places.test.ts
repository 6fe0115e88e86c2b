import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { places } from '../../../lambda/sending/places.ts';

/** Work that ends when it is told to. */
function job() {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { end, work: () => ended };
}

/** Everything that can go on has gone on. */
const settled = () => setImmediate();

test('so much goes on at one time, and the rest in the order in which it came', async () => {
  const run = places(2);
  const begun: string[] = [];
  const [a, b, c, d] = [job(), job(), job(), job()];
  const all = Object.entries({ a, b, c, d }).map(([name, { work }]) =>
    run(() => {
      begun.push(name);
      return work();
    }),
  );
  await settled();
  expect(begun).toEqual(['a', 'b']);
  b.end();
  await settled();
  expect(begun).toEqual(['a', 'b', 'c']);
  for (const { end } of [a, c, d]) end();
  await Promise.all(all);
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
});

test('what pauses leaves its place to the next, and waits for one again', async () => {
  // Waiting takes no time.
  const run = places(1, async () => undefined);
  const done: string[] = [];
  const next = job();
  const first = run(async (pause) => {
    await pause(1);
    done.push('first');
  });
  const second = run(async () => {
    await next.work();
    done.push('second');
  });
  await settled();
  expect(done).toEqual([]);
  next.end();
  await Promise.all([first, second]);
  expect(done).toEqual(['second', 'first']);
});

test('what fails leaves its place too', async () => {
  const run = places(1);
  await expect(run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await run(async () => 'done')).toBe('done');
});
