import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { paginateScan } from '@aws-sdk/lib-dynamodb';
import { expect, test } from 'vitest';
import { readOutputs } from '../../bin/support/outputs.ts';
import { documentClientOf } from '../../bin/support/stack-tables.ts';
import { assemblyDir, commandsDir } from '../prepared.ts';
import { temporaryFolder, whenFinished } from '../temporary.ts';
import { post, until } from './running-stack.ts';

/** The number of concurrent posts, and of posts that are acknowledged before the kill. */
const CONNECTIONS = 3;
const ACKNOWLEDGED = 40;

async function start(dir: string): Promise<ChildProcess> {
  const program = join(await commandsDir(), 'local-mode-process.mjs');
  const child = spawn(process.execPath, [program, dir, await assemblyDir()], { stdio: 'inherit' });
  whenFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  await until('local mode to be ready', () => outputsOf(dir).catch(() => undefined));
  return child;
}

const outputsOf = (dir: string) => readOutputs(join(dir, 'outputs.json'));

const entry = (n: number) => ({
  created: '2026-11-01 10:00:00',
  messageId: `<killed-${n}@example.com>`,
  apiData: '',
  status: '2',
  reason: '550 5.1.1 unknown',
  subject: 'Hello',
  from: 'shop@example.com',
  to: 'user@example.jp',
});

test('kill -9 under load loses no post that was acknowledged', async () => {
  const dir = temporaryFolder();
  const killed = await start(dir);
  const { CustomersMailCloudWebhookUrl: url = '' } = await outputsOf(dir);
  const secret: { customersMailCloud: { apiKeys: string[] } } = JSON.parse(
    await readFile(join(dir, 'webhook-secret.json'), 'utf8'),
  );
  const [api_key] = secret.customersMailCloud.apiKeys;

  const acknowledged: number[] = [];
  let next = 0;
  let dead = false;
  const connection = async () => {
    while (!dead) {
      const n = next++;
      const body = JSON.stringify({ api_key, event_type: 'bounces', event: { bounces: [entry(n)] } });
      const answer = await post(url, body, { headers: { 'content-type': 'application/json' } }).catch(() => undefined);
      if (answer?.status === 200) acknowledged.push(n);
      if (acknowledged.length >= ACKNOWLEDGED && !dead) {
        dead = true;
        killed.kill('SIGKILL');
      }
    }
  };
  await Promise.all([once(killed, 'exit'), ...Array.from({ length: CONNECTIONS }, connection)]);

  // The killed process left the file behind.
  await rm(join(dir, 'outputs.json'));
  await start(dir);
  await until('the queue to be empty', async () =>
    (await readdir(join(dir, 'queues/EventQueue'))).some((file) => file.endsWith('.json')) ? undefined : true,
  );
  const outputs = await outputsOf(dir);
  const client = documentClientOf(outputs);
  whenFinished(() => client.destroy());
  const recorded = new Set<unknown>();
  for await (const { Items = [] } of paginateScan({ client }, { TableName: outputs.BounceTableName })) {
    for (const row of Items) recorded.add(row['messageId']);
  }
  expect(acknowledged.filter((n) => !recorded.has(`<killed-${n}@example.com>`))).toEqual([]);
  expect(acknowledged.length).toBeGreaterThanOrEqual(ACKNOWLEDGED);
});
