/** Figure: sending a batch of messages. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { Cleanup } from '../../local/cleanup.ts';
import { closeServer, listen, originOf } from '../../local/ports.ts';
import type { Bench } from '../support/bench.ts';
import { type Figure, figure, median, ratios } from '../support/figure.ts';
import { DISTANCE_MS } from '../support/stand-in.ts';

const BATCH = 100;
const API_MS = 50;
/** The most that a message may have. */
const MANY_RECIPIENTS = 1_000;
/** The most connections that a client should open to a mail API. */
const MAX_CONCURRENCY = 50;

/** Sends a batch of the stream, and then its records one by one, with the same function and a mail API with a delay. */
export async function sender(bench: Bench): Promise<Figure[]> {
  const api = await startMailApi(bench.cleanup);
  const sendMail = await bench.start('send-mail', {
    AWS_ENDPOINT_URL_DYNAMODB: bench.aws.distantUrl,
    SENDGRID_API_URL: api.url,
  });
  await send(records(bench, 'warm', 10), 10);
  const together: number[] = [];
  const oneByOne: number[] = [];
  const checked: number[] = [];
  let concurrency = 0;
  for (let run = 0; run < bench.runs; run++) {
    api.most = 0;
    together.push(await send(records(bench, `together-${run}-`, BATCH), BATCH));
    concurrency = Math.max(concurrency, api.most);
    oneByOne.push(await send(records(bench, `alone-${run}-`, BATCH), 1));
    const unchecked = await send(records(bench, `unchecked-${run}-`, 1, MANY_RECIPIENTS, { sendAnyway: true }), 1);
    checked.push((await send(records(bench, `checked-${run}-`, 1, MANY_RECIPIENTS), 1)) - unchecked);
  }
  await sendMail.stop();
  return [
    figure({
      name: 'sender',
      samples: ratios(oneByOne, together),
      unit: `times faster than one by one, with ${DISTANCE_MS} ms added to each request to DynamoDB`,
      goal: { atLeast: 10 },
      goalText: `≥ 10, with at most ${MAX_CONCURRENCY} requests at a time`,
      also: concurrency <= MAX_CONCURRENCY,
      detail: `${BATCH} messages in ${Math.round(median(together))} ms, one by one ${Math.round(median(oneByOne)).toLocaleString('en-US')} ms; the mail API takes ${API_MS} ms and got at most ${concurrency} requests at a time`,
    }),
    figure({
      name: 'suppression',
      samples: checked,
      unit: `ms more for a message whose ${MANY_RECIPIENTS.toLocaleString('en-US')} recipients are looked up, with ${DISTANCE_MS} ms added to each request`,
      goal: { atMost: 1_000 },
      goalText: '≤ 1,000 ms',
      detail: 'the same message with sendAnyway is the other side',
    }),
  ];

  /** @returns milliseconds for all of them */
  async function send(all: readonly unknown[], size: number): Promise<number> {
    const events = Array.from({ length: all.length / size }, (_, n) => ({
      Records: all.slice(n * size, (n + 1) * size),
    }));
    const before = api.taken;
    const { wallMs, results } = await sendMail.invoke(...events);
    if (api.taken - before !== all.length) throw new Error(`Cannot measure the sender: ${JSON.stringify(results)}`);
    return wallMs;
  }
}

/** Puts items into the Mail table. @returns the records that its stream has of them */
function records(bench: Bench, tag: string, count: number, recipients = 1, more: object = {}): unknown[] {
  const items = Array.from({ length: count }, (_, n) => ({
    id: `${tag}${n}`,
    from: 'さくら商店 <shop@example.com>',
    to: Array.from({ length: recipients }, (_, m) => `recipient-${n}-${m}@example.jp`).join(', '),
    subject: 'ご注文の確認',
    content: 'ありがとうございます。'.repeat(20),
    ...more,
  }));
  for (const item of items) bench.aws.items.set(item.id, item);
  return items.map((item) => ({
    eventID: `event-of-${item.id}`,
    eventName: 'INSERT',
    dynamodb: { SequenceNumber: item.id, ApproximateCreationDateTime: 1_790_000_000, NewImage: marshall(item) },
  }));
}

async function startMailApi(cleanup: Cleanup) {
  let underWay = 0;
  const api = { url: '', taken: 0, most: 0 };
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    api.most = Math.max(api.most, ++underWay);
    request.resume();
    await sleep(API_MS);
    underWay--;
    response.writeHead(202, { 'x-message-id': `mail-${++api.taken}` }).end();
  });
  cleanup.defer('stop the mail API', () => closeServer(server));
  api.url = originOf(await listen(server, 0, 'the mail API'));
  return api;
}
