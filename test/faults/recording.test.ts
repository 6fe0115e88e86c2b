import { createHash } from 'node:crypto';
import { DeleteItemCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeEach, describe, expect, test } from 'vitest';
import { CLIENT_SETTINGS } from '../../lambda/aws/clients.ts';
import { documentClient } from '../../lambda/aws/dynamodb.ts';
import { forEachConcurrently } from '../../lambda/aws/for-each-concurrently.ts';
import { sendMessage } from '../../lambda/aws/sqs.ts';
import type { MailEvent } from '../../lambda/mail/event.ts';
import { normalizeCustomersMailCloud } from '../../lambda/providers/customers-mail-cloud/events.ts';
import { normalizeSendGrid } from '../../lambda/providers/sendgrid/events.ts';
import { failureEvent } from '../../lambda/publishing/failure-event.ts';
import { publishFailures } from '../../lambda/publishing/publish-failures.ts';
import { LOG_ROW_ENTRY } from '../../lambda/recording/entries.ts';
import { eventQueue, queueMessages } from '../../lambda/webhooks/event-queue.ts';
import type { Facts } from './expected-rows.ts';
import { type Guard, PUBLISHER, WITHOUT } from './guards.ts';
import {
  customersMailCloudEntriesOf,
  newTag,
  type Scenario,
  scenario,
  sendGridEventsOf,
  TIME_ZONE,
  tagOf,
  testMail,
} from './posts.ts';
import { playRandomSchedules } from './random-schedules.ts';
import {
  AGAIN,
  allCases,
  type Case,
  callsOf,
  FIRST_TIME,
  joinLate,
  judge,
  type Outcome,
  play,
  playEach,
  putLogRow,
  record,
  sampleOf,
  smallPages,
  troubles,
  WAYS,
} from './recording.ts';
import type { Rig } from './storage.ts';
import { postTo, recordAgain, recordBatch } from './webhooks.ts';
import { withStorage } from './with-storage.ts';

const storage = withStorage();
beforeEach(() => storage().empty());
const RIGS = 4;
const NEVER = new AbortController().signal;

const rigsWithout = (guard: Guard, requestTimeoutMs = 2_000) =>
  Promise.all(
    Array.from({ length: RIGS }, async () => {
      const rig = await storage().rig({ requestTimeoutMs });
      rig.proxy.rewrite = WITHOUT[guard];
      return rig;
    }),
  );

/** The outcomes that are wrong, and why. */
async function troublesOf(outcomes: readonly Outcome[]): Promise<string[]> {
  return troubles(judge(outcomes, await storage().rows()));
}

const playCases = (cases: readonly Case[], rigs: readonly Rig[]) =>
  playEach(cases, rigs, (kase, rig) => play(kase, rig, storage()));

function outcomeOf({ tag, events, refusals }: Scenario, facts: Partial<Facts>): Outcome {
  const all = { events, refusals, logRows: [], receivedAtMs: [FIRST_TIME], ...facts };
  return { label: 'the post', tag, events: all.events.length, facts: all };
}

const loggedBefore = ({ mails }: Scenario) => mails.filter(({ logged }) => logged === 'before').map(({ row }) => row);

describe('the rows are complete although calls fail:', () => {
  // Plays each kind of fault once, at one of two ways that share code. `npm run torture` plays every fault at every call.
  const halves = {
    'receive-sendgrid': 'even',
    'receive-customers-mail-cloud': 'odd',
    'record-sendgrid': 'odd',
    'record-customers-mail-cloud': 'even',
    'late-join': undefined,
  } as const;
  test.each(WAYS)('%s', async (way) => {
    const rigs = await rigsWithout('none');
    const calls = await callsOf(way, await storage().rig(), storage());
    expect(calls).toBeGreaterThanOrEqual(way.startsWith('receive') ? 2 : 4);
    const cases = sampleOf(
      allCases(way, calls).filter(({ failing }) => failing.k <= calls),
      halves[way],
    );
    const outcomes = await playCases(cases, rigs);
    const proxies = rigs.map(({ proxy, queue }) => (way.startsWith('receive') ? queue.proxy : proxy));
    expect(proxies.reduce((sum, proxy) => sum + proxy.injected(), 0)).toBeGreaterThanOrEqual(cases.length);
    expect(await troublesOf(outcomes)).toEqual([]);
  });

  test('random schedules', async () => {
    const rigs = await rigsWithout('none', 20_000);
    const seeds = Array.from({ length: 2 }, (_, n) => n);
    const outcomes = await playRandomSchedules(seeds, rigs, storage());
    expect(await troublesOf(outcomes)).toEqual([]);
  });

  test('a story that is read in pages', async () => {
    const rig = await storage().rig();
    rig.proxy.rewrite = smallPages;
    const kase: Case = { way: 'late-join', failing: { fault: 'reset', k: 3, rounds: 1 }, patient: false };
    expect(await troublesOf([await play(kase, rig, storage())])).toEqual([]);
  });
});

describe('without this guard, rows are lost, doubled or wrong:', () => {
  const fine = { fault: 'reset', k: Number.POSITIVE_INFINITY, rounds: 1 } as const;
  test.each(['condition', 'second-read', 'dedupe'] as const)('%s', async (guard) => {
    const rigs = await rigsWithout(guard);
    const cases: Case[] = [{ way: 'record-sendgrid', failing: fine, patient: false }];
    expect(await troublesOf(await playCases(cases, rigs))).not.toEqual([]);
  });
});

describe('repeated deliveries leave the same rows:', () => {
  test('a post 20 times, 10 of them at once', async () => {
    const { store } = storage();
    const whole = scenario('sendgrid');
    const post = { ...whole, events: whole.events.slice(0, 10) };
    await forEachConcurrently(loggedBefore(post), (row) => putLogRow(row, store));
    const deliveries = Array.from({ length: 20 }, (_, n) => (n % 2 ? AGAIN : FIRST_TIME));
    await forEachConcurrently(
      deliveries,
      async (atMs) => {
        await record(post.events, atMs, store);
      },
      10,
    );
    await forEachConcurrently(post.mails.slice(0, 1), (mail) => joinLate(mail, store));
    const facts = { logRows: loggedBefore(post), receivedAtMs: [FIRST_TIME, AGAIN], refusals: [] };
    expect(await troublesOf([outcomeOf(post, facts)])).toEqual([]);
  });

  test('an event in two posts', async () => {
    const { store } = storage();
    const post = scenario('customers-mail-cloud');
    await Promise.all([
      record(post.events.slice(0, 20), FIRST_TIME, store),
      record(post.events.slice(10), AGAIN, store),
    ]);
    const facts = { receivedAtMs: [FIRST_TIME, AGAIN], refusals: [] };
    expect(await troublesOf([outcomeOf(post, facts)])).toEqual([]);
  });

  test('events in any order, late and repeated', async () => {
    const { store } = storage();
    const orders = permutations([0, 1, 2, 3, 4, 5]).filter((_, n) => n % 72 === 0);
    const outcomes: Outcome[] = [];
    await forEachConcurrently(
      orders,
      async (order) => {
        const tag = newTag();
        const all = storyOf(tag);
        const mail = testMail('sendgrid', tag, 'later');
        const events = order.flatMap((n) => all[n] ?? []);
        // The first event comes once more at the end. The mail is logged in between.
        for (const [n, event] of [...events, ...events.slice(0, 1)].entries()) {
          if (n === order[0]) {
            await putLogRow(mail.row, store);
            await joinLate(mail, store);
          }
          await record([event], FIRST_TIME, store);
        }
        const facts = { events: all, logRows: [mail.row], receivedAtMs: [FIRST_TIME] };
        outcomes.push({ label: `in the order ${order}`, tag, events: events.length, facts });
      },
      4,
    );
    expect(await troublesOf(outcomes)).toEqual([]);
  });

  test('a post with rows that storage always refuses', async () => {
    const rig = await storage().rig();
    const [event] = storyOf(newTag()).slice(-2);
    if (!event) throw new Error('no event');
    const before = (await storage().rows()).length;
    rig.proxy.plan = ({ action, body }) =>
      action === 'BatchGetItem' || JSON.stringify(body).includes('rawEvent') ? undefined : 'refused item';
    for (const atMs of [FIRST_TIME, AGAIN]) await record([event], atMs, rig.impatient);
    // The rows that replace the Bounce row and the event's row in the story.
    expect((await storage().rows()).length - before).toBe(2);
  });
});

test.each(['none', 'rejoin'] as const)('a write that takes effect late, without the guard %s', async (guard) => {
  const { store } = storage();
  const rig = await storage().rig();
  rig.proxy.rewrite = WITHOUT[guard];
  const tag = newTag();
  const events = storyOf(tag).slice(4, 5);
  const mail = testMail('sendgrid', tag, 'later');
  const bounceOf = async () => {
    const rows = await storage().rows();
    return rows.find((found) => found.table === 'Bounce' && tagOf(found.row) === tag)?.row;
  };

  let takeEffect = async (): Promise<unknown> => expect.unreachable();
  rig.proxy.whenLate = (held) => {
    takeEffect = held;
  };
  rig.proxy.plan = ({ action }) => (action === 'BatchWriteItem' ? 'late write' : undefined);
  await expect(record(events, FIRST_TIME, rig.impatient)).rejects.toThrow();
  rig.proxy.plan = () => undefined;
  await record(events, AGAIN, rig.impatient);
  await putLogRow(mail.row, store);
  await joinLate(mail, store);
  const oldRow = await bounceOf();
  expect(oldRow).toMatchObject({ matched: true });
  await takeEffect();
  const row = await bounceOf();
  expect(row).toMatchObject({ matched: false });

  // What the stream of Bounce delivers. The join makes another change.
  const publisher = { store: rig.storeOf(PUBLISHER), bus: undefined, stackName: 'Todoke' };
  await publishFailures([{ sequenceNumber: '1', oldRow, row }], publisher);
  const joined = await bounceOf();
  expect(joined?.['matched']).toBe(guard === 'none');
  expect(failureEvent({ oldRow: row, row: joined }, 'Todoke')).toBeUndefined();
  expect(await publishFailures([{ sequenceNumber: '2', oldRow: row, row: joined }], publisher)).toEqual({
    batchItemFailures: [],
  });
  expect(await bounceOf()).toEqual(joined);
});

test('events are recorded although a log row has a number that JavaScript cannot represent', async () => {
  const { store } = storage();
  const tag = newTag();
  const row = { messageId: { S: tag }, entry: { S: LOG_ROW_ENTRY }, amount: { N: '12345678901234567890.5' } };
  await store.client.send(new PutItemCommand({ TableName: store.sentLogTable, Item: row }));
  const recorded = record(storyOf(tag), FIRST_TIME, store).finally(() =>
    // While this row exists, no other test can read the table.
    store.client.send(
      new DeleteItemCommand({ TableName: store.sentLogTable, Key: { messageId: row.messageId, entry: row.entry } }),
    ),
  );
  await expect(recorded).resolves.toEqual([]);
});

test('100 concurrent posts for one message are all recorded', async () => {
  const { store } = storage();
  const tag = newTag();
  const [bounce] = sendGridEventsOf(tag).filter(({ event }) => event === 'bounce');
  const events = Array.from({ length: 100 }, (_, n) =>
    normalizeSendGrid({ ...bounce, email: `ann+${n}@example.com`, sg_event_id: `${tag}-of-${n}` }),
  );
  const mail = testMail('sendgrid', tag, 'meanwhile');
  await Promise.all([
    ...events.map((event) => record([event], FIRST_TIME, store)),
    putLogRow(mail.row, store).then(() => joinLate(mail, store)),
  ]);
  const facts = { events, logRows: [mail.row], receivedAtMs: [FIRST_TIME] };
  expect(await troublesOf([{ label: '100 posts', tag, events: 100, facts }])).toEqual([]);
});

test('a post of 5 MB is split into queue messages of at most 1 MiB and recorded', async () => {
  const { queue } = await storage().rig();
  const tag = newTag();
  // Text that hardly compresses, and is the same in every run.
  const noise = (n: number) => createHash('shake256', { outputLength: 37_500 }).update(`${n}`).digest('base64');
  const entries = Array.from({ length: 100 }, (_, n) => {
    const { eventType, entry } = customersMailCloudEntriesOf(`<${tag}-${n}@example.com>`)[5] ?? {
      eventType: '',
      entry: {},
    };
    return { eventType, entry: { ...(entry as object), reason: `550 ${noise(n)}` } };
  });
  const post = { provider: 'customers-mail-cloud', receivedAtMs: FIRST_TIME, events: entries } as const;
  const messages = queueMessages(post);
  expect(Math.max(...messages.map((message) => Buffer.byteLength(message)))).toBeLessThanOrEqual(1024 * 1024);
  await eventQueue(queue.url, queue.patient).put(post, NEVER);
  expect(queue.size()).toBe(messages.length);
  expect(await recordBatch(queue, storage().store, 30_000)).toBe(messages.length);
  const events = entries.map((entry) => normalizeCustomersMailCloud(entry, TIME_ZONE));
  const facts = { events, logRows: [], receivedAtMs: [FIRST_TIME] };
  expect(await troublesOf([{ label: '5 MB', tag, events: 100, facts }])).toEqual([]);
}, 60_000);

describe('between the receiver and the recorder', () => {
  const TIME = { receivedAtMs: FIRST_TIME, queueWithinMs: 20_000 };
  const again = { ...TIME, receivedAtMs: AGAIN };
  /** A timeout long enough that no request is given up on a busy machine. */
  const patientRig = () => storage().rig({ requestTimeoutMs: 20_000 });

  /** Records everything in the queue. */
  async function recordAll({ queue, patient }: Rig): Promise<void> {
    while (queue.size() > 0) await recordBatch(queue, patient, 30_000);
  }

  const complete = (post: Scenario, receivedAtMs: number[]) =>
    troublesOf([outcomeOf(post, { refusals: [], receivedAtMs })]);

  test('when the queue rejects a message, the provider posts again', async () => {
    const rig = await patientRig();
    const { queue } = rig;
    const post = scenario('sendgrid');
    queue.proxy.plan = () => 'refused item';
    expect(await postTo(queue, post, { client: queue.patient, ...TIME })).toBe(503);
    await queue.proxy.settled();
    expect(queue.size()).toBe(0);
    queue.proxy.plan = () => undefined;
    expect(await postTo(queue, post, { client: queue.patient, ...again })).toBe(200);
    await recordAll(rig);
    // The post has several queue messages. One may arrive after the others were rejected, and even after the repeated post.
    expect(await complete(post, [FIRST_TIME, AGAIN])).toEqual([]);
  });

  test('a receiver does not wait for a slow queue, and what the queue stores late is recorded once', async () => {
    const rig = await patientRig();
    const { queue } = rig;
    const post = scenario('sendgrid');
    // Each message is stored, but the answer comes after the receiver has given up.
    let answer = () => {};
    const slow = new Promise<void>((resolve) => {
      answer = resolve;
    });
    queue.proxy.plan = () => 'lost answer';
    queue.proxy.whenLost = () => slow;
    const giveUp = { client: queue.impatient, receivedAtMs: FIRST_TIME, queueWithinMs: 300 };
    expect(await postTo(queue, post, giveUp)).toBe(503);
    answer();
    await queue.proxy.settled();
    expect(queue.size()).toBeGreaterThan(0);
    queue.proxy.plan = () => undefined;
    expect(await postTo(queue, post, { client: queue.patient, ...again })).toBe(200);
    await recordAll(rig);
    expect(await complete(post, [FIRST_TIME, AGAIN])).toEqual([]);
  });

  test('a message that two recorders get at the same time is recorded once', async () => {
    const { queue, patient } = await patientRig();
    const post = scenario('customers-mail-cloud');
    await postTo(queue, post, { client: queue.patient, ...TIME });
    const messages = await queue.take();
    await Promise.all([recordAgain(messages, patient), recordAgain(messages, storage().store)]);
    await recordAgain(messages.toReversed(), patient);
    expect(await complete(post, [FIRST_TIME])).toEqual([]);
  });

  test('when only part of a split post is queued, its rows are right, and the next post adds the rest', async () => {
    const rig = await patientRig();
    const { queue } = rig;
    const post = scenario('customers-mail-cloud');
    queue.proxy.plan = ({ number }) => (number % 2 === 0 ? 'refused item' : undefined);
    expect(await postTo(queue, post, { client: queue.impatient, ...TIME })).toBe(503);
    await queue.proxy.settled();
    queue.proxy.plan = () => undefined;
    expect(queue.size()).toBeGreaterThan(0);
    await recordAll(rig);
    const [{ verdict }] = judge(
      [outcomeOf(post, { refusals: [], receivedAtMs: [FIRST_TIME] })],
      await storage().rows(),
    ) as [ReturnType<typeof judge>[number]];
    expect(verdict).toMatchObject({ doubled: [], wrong: [] });
    expect(verdict.lost.length).toBeGreaterThan(0);
    expect(await postTo(queue, post, { client: queue.patient, ...again })).toBe(200);
    await recordAll(rig);
    expect(await complete(post, [FIRST_TIME, AGAIN])).toEqual([]);
  });

  test('a message that cannot be recorded fails alone and stays in the queue', async () => {
    const { queue, proxy, impatient } = await patientRig();
    const posts = [scenario('sendgrid'), scenario('sendgrid')];
    const [good, bad] = posts;
    if (!good || !bad) return expect.unreachable();
    for (const post of posts) await postTo(queue, post, { client: queue.patient, ...TIME });
    await sendMessage(queue.patient, queue.url, 'no post', { signal: NEVER });
    const messages = queue.size();
    proxy.plan = ({ body }) => (JSON.stringify(body).includes(bad.tag) ? 'error 500' : undefined);
    let recorded = 0;
    for (let n = 0; n * 10 < messages; n++) recorded += await recordBatch(queue, impatient, 30_000);
    expect(await complete(good, [FIRST_TIME])).toEqual([]);
    expect(recorded).toBeGreaterThan(0);
    expect(queue.size()).toBe(messages - recorded);

    proxy.plan = () => undefined;
    while (queue.size() > 1) await recordBatch(queue, impatient, 30_000);
    expect(await complete(bad, [FIRST_TIME])).toEqual([]);
    expect((await queue.take()).map(({ body }) => body)).toEqual(['no post']);
  });

  test('a throttling table slows the recorder down but fails no message', async () => {
    const { queue, proxy, impatient } = await patientRig();
    const post = scenario('sendgrid');
    await postTo(queue, post, { client: queue.patient, ...TIME });
    const messages = queue.size();
    let throttled = 0;
    proxy.plan = () => (++throttled <= 10 ? 'throttle' : undefined);
    expect(await recordBatch(queue, impatient, 30_000)).toBe(messages);
    expect(await complete(post, [FIRST_TIME])).toEqual([]);
  });

  test('ten posts of ten events need as many requests as one post of a hundred events', async () => {
    const { queue, proxy, patient } = await patientRig();
    const tag = newTag();
    const [bounce] = sendGridEventsOf(tag).filter(({ event }) => event === 'bounce');
    const received = Array.from({ length: 100 }, (_, n) => ({
      ...bounce,
      email: `ann+${n}@example.com`,
      sg_event_id: `${tag}-${n}`,
      sg_message_id: `${tag}-${n}.filter0001.16648.5515E0B88.0`,
    }));
    const wide = eventQueue(queue.url, queue.patient);
    const requestsFor = async (posts: readonly (readonly unknown[])[]) => {
      for (const events of posts) {
        await wide.put({ provider: 'sendgrid', receivedAtMs: FIRST_TIME, events: [...events] }, NEVER);
      }
      proxy.calls.length = 0;
      expect(await recordBatch(queue, patient, 30_000)).toBe(posts.length);
      return proxy.calls.map(({ action }) => action).toSorted();
    };
    const ten = Array.from({ length: 10 }, (_, n) => received.slice(n * 10, n * 10 + 10));
    const together = await requestsFor([received]);
    // A lookup of 100 log rows, 200 rows in batches of 25, and the second lookup.
    expect(together).toEqual([
      ...Array.from({ length: 2 }, () => 'BatchGetItem'),
      ...Array.from({ length: 8 }, () => 'BatchWriteItem'),
    ]);
    expect(await requestsFor(ten)).toEqual(together);
  });
});

describe('a delivery ends when its time is over', () => {
  const TIME_MS = 500;
  test.each(['hang', 'throttle', 'error 500', 'unprocessed'] as const)(
    'if every storage request ends with: %s',
    async (fault) => {
      const { proxy } = await storage().rig();
      proxy.plan = () => fault;
      const client = new DynamoDBClient({
        ...CLIENT_SETTINGS,
        endpoint: proxy.endpoint,
        region: 'ap-northeast-1',
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      });
      const delivery = record(
        scenario('sendgrid').events,
        FIRST_TIME,
        { ...storage().store, client: documentClient(client) },
        AbortSignal.timeout(TIME_MS),
      );
      const { name } = await delivery.then(
        () => expect.unreachable(),
        (error: Error) => error,
      );
      // An error 500 is thrown after the SDK's attempts. The others are retried until the time is over.
      if (fault !== 'error 500') expect(name).toMatch(/^(Abort|Timeout)Error$/);
    },
  );
});

/** Events: queued, deferred twice, delivered, bounced, complained. */
function storyOf(messageId: string): MailEvent[] {
  const documented = sendGridEventsOf(messageId);
  const of = (name: string) => documented.filter(({ event }) => event === name).slice(0, 1);
  const again = of('deferred').map((event) => ({ ...event, sg_event_id: `${messageId}-again`, timestamp: 1674623999 }));
  return [
    ...of('processed'),
    ...of('deferred'),
    ...again,
    ...of('delivered'),
    ...of('bounce'),
    ...of('spamreport'),
  ].map(normalizeSendGrid);
}

function permutations<Item>(items: readonly Item[]): Item[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, n) => permutations(items.toSpliced(n, 1)).map((rest) => [item, ...rest]));
}
