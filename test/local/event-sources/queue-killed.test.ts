import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { LocalQueue } from '../../../local/event-sources/queue.ts';
import { commandsDir } from '../../prepared.ts';
import { temporaryFolder, whenFinished } from '../../temporary.ts';
import { REGION } from '../support.ts';

/** The number of concurrent requests, and of requests that are acknowledged before the kill. */
const CONNECTIONS = 8;
const ACKNOWLEDGED = 200;

test('kill -9 under load loses no message that was acknowledged and not deleted', async () => {
  const dir = temporaryFolder();
  const program = join(await commandsDir(), 'queue-process.mjs');
  const child = spawn(process.execPath, [program, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  whenFinished(() => child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await once(output, 'line');
  const [endpoint = ''] = lines;
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const sqs = new SQSClient({ endpoint, region: REGION, credentials, maxAttempts: 1 });
  whenFinished(() => sqs.destroy());

  const acknowledged = new Map<string, string>();
  let next = 0;
  const connection = async () => {
    while (!child.killed) {
      const n = next++;
      const MessageBody = `${n % 2 === 0 ? 'fail' : 'process'} ${n} ${'x'.repeat(10_000)}`;
      const command = new SendMessageCommand({ QueueUrl: `${endpoint}/EventQueue`, MessageBody });
      const sent = await sqs.send(command).catch(() => undefined);
      if (sent?.MessageId !== undefined) acknowledged.set(sent.MessageId, MessageBody);
      if (acknowledged.size >= ACKNOWLEDGED) child.kill('SIGKILL');
    }
  };
  await Promise.all([ended, ...Array.from({ length: CONNECTIONS }, connection)]);

  const queue = await LocalQueue.open({ name: 'EventQueue', arn: 'arn', dir, visibilityTimeoutMs: 360_000 });
  expect((await readdir(dir)).filter((file) => !file.endsWith('.json'))).toEqual([]);
  const received = await queue.receive(Number.POSITIVE_INFINITY);
  const delivered = new Map(received.map(({ messageId, body }) => [messageId, body]));
  // A message is printed before it is deleted.
  const processed = new Set(lines);
  const expected = [...acknowledged].filter(([messageId]) => !processed.has(messageId));
  expect(acknowledged.size).toBeGreaterThanOrEqual(ACKNOWLEDGED);
  expect(expected.length).toBeGreaterThanOrEqual(ACKNOWLEDGED / 4);
  expect(expected.filter(([messageId, body]) => delivered.get(messageId) !== body)).toEqual([]);
});
