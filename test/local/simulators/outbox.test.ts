import { EventEmitter, once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { Outbox, type OutboxOptions } from '../../../local/simulators/outbox.ts';

const opened: Outbox<string>[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((outbox) => outbox.close()));
});

/** An outbox that records its posts. They are accepted, unless `refusals` says otherwise. */
function outboxWith({ refusals = [], ...options }: Partial<OutboxOptions<string>> & { refusals?: string[] } = {}) {
  const posts: string[][] = [];
  const lines: string[] = [];
  const outbox = new Outbox<string>({
    split: (events) => [events],
    post: async (events) => {
      posts.push([...events]);
      return refusals.shift();
    },
    retryAfterMs: () => undefined,
    report: (line) => lines.push(line),
    ...options,
  });
  opened.push(outbox);
  return { outbox, posts, lines };
}

test('is idle while it is empty', async () => {
  await outboxWith().outbox.idle();
});

test('posts due events together, in the order of time, and keeps the rest', async () => {
  const progress = new EventEmitter();
  const { outbox } = outboxWith({
    post: async (events) => {
      progress.emit('posted', events);
      return undefined;
    },
  });
  const later = { event: 'later', dueAt: Date.now() + 60_000 };
  outbox.add([later, { event: 'second', dueAt: 2 }, { event: 'first', dueAt: 1 }]);
  expect(await once(progress, 'posted')).toEqual([['first', 'second']]);
  await outbox.close();
  expect(outbox.pending.at(-1)).toEqual({ ...later, since: later.dueAt, attempts: 0 });
});

test('posts the parts of a split post one after the other', async () => {
  const { outbox, posts } = outboxWith({ split: (events) => events.map((event) => [event]) });
  outbox.add(['a', 'b', 'c'].map((event) => ({ event, dueAt: 0 })));
  await outbox.idle();
  expect(posts).toEqual([['a'], ['b'], ['c']]);
});

test('posts again after the wait that the provider chooses, and says so', async () => {
  const { outbox, posts, lines } = outboxWith({
    refusals: ['webhook answered 500', 'webhook answered 500', 'webhook answered 500'],
    retryAfterMs: ({ attempts }) => (attempts < 3 ? attempts : undefined),
  });
  outbox.add([{ event: 'a', dueAt: 0 }]);
  await outbox.idle();
  expect(posts).toEqual([['a'], ['a'], ['a']]);
  expect(lines).toEqual([
    'webhook answered 500, next try in 0.001 s',
    'webhook answered 500, next try in 0.002 s',
    'webhook answered 500, 1 event lost',
  ]);
  expect(outbox.lost).toBe(1);
});

test('counts the age of an event from when it was due first', async () => {
  const ages: number[] = [];
  const { outbox } = outboxWith({
    refusals: ['no', 'no'],
    retryAfterMs: ({ since, attempts }) => {
      ages.push(since);
      return attempts;
    },
  });
  outbox.add([{ event: 'a', dueAt: 1_700_000_000_000 }]);
  await outbox.idle();
  expect(ages).toEqual([1_700_000_000_000, 1_700_000_000_000]);
});

test('a post that fails unexpectedly counts as refused', async () => {
  const { outbox, lines } = outboxWith({
    post: async () => {
      throw new Error('no address yet');
    },
  });
  outbox.add([{ event: 'a', dueAt: 0 }]);
  await outbox.idle();
  expect(lines).toEqual(['Error: no address yet, 1 event lost']);
});

test('continues to post while pending events cannot be stored, and says so', async () => {
  const { outbox, posts, lines } = outboxWith({
    split: (events) => events.map((event) => [event]),
    refusals: ['webhook answered 500'],
    retryAfterMs: () => 1,
    keep: () => {
      if (posts.length > 0) throw new Error('the disk is full');
    },
  });
  outbox.add(['a', 'b'].map((event) => ({ event, dueAt: 0 })));
  await outbox.idle();
  expect(posts).toEqual([['a'], ['b'], ['a']]);
  expect(lines).toContain('Cannot store the events that wait to be posted: the disk is full');
});

test('adds no event that cannot be stored', () => {
  const { outbox } = outboxWith({
    keep: () => {
      throw new Error('the disk is full');
    },
  });
  expect(() => outbox.add([{ event: 'a', dueAt: 0 }])).toThrow('the disk is full');
  expect(outbox.pending).toEqual([]);
});

test('keeps events that are not posted, including a post in progress, for the next outbox', async () => {
  const progress = new EventEmitter();
  const { outbox } = outboxWith({
    post: (_events, signal) => {
      progress.emit('posting');
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve('broken off')));
    },
  });
  outbox.add([
    { event: 'under way', dueAt: 0 },
    { event: 'later', dueAt: Date.now() + 60_000 },
  ]);
  const idle = outbox.idle();
  await once(progress, 'posting');
  await outbox.close();
  await idle;
  expect(outbox.lost).toBe(0);

  const next = outboxWith();
  next.outbox.restore(outbox.pending.map((pending) => ({ ...pending, dueAt: 0 })));
  await next.outbox.idle();
  expect(next.posts).toEqual([['under way', 'later']]);
});
