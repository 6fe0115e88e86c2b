import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, expect, test } from 'vitest';
import { parseOutputs } from '../../bin/support/outputs.ts';
import { tablesOf } from '../../bin/support/stack-tables.ts';
import { canonicalJson } from '../../lambda/mail/json.ts';
import type { Tables } from '../../lambda/recipients/tables.ts';
import { whenFinished } from '../temporary.ts';
import { ranHere } from './command.ts';
import { runningStack, until } from './running-stack.ts';

const BOUNCE = 'bounce@example.jp';

const stack = runningStack();
let tables: Tables;

const forget = (...args: string[]) => ranHere(stack().local.outputsFile, 'forget', args);

/** All rows of every table, as text. Waits until join-late-events has added its attributes to each log row. */
function everyRow(): Promise<string[]> {
  return until('the attribute day in every log row', async () => {
    const scans = [tables.mail, tables.sentLog, tables.bounce].map((TableName) =>
      tables.client.send(new ScanCommand({ TableName, ConsistentRead: true })),
    );
    const rows = (await Promise.all(scans)).flatMap(({ Items = [] }) => Items);
    const isComplete = rows.every((row) => row['entry'] !== 'mail' || row['day'] !== undefined);
    return isComplete ? rows.map((row) => canonicalJson(row)) : undefined;
  });
}

const rowsWith = async (address: string) => (await everyRow()).filter((row) => row.toLowerCase().includes(address));

beforeAll(async () => {
  tables = tablesOf(parseOutputs(stack().local.outputs));
  whenFinished(() => tables.client.destroy());
  const mail = { from: 'shop@example.com', subject: 'Hello', content: 'Are you there?', sendAnyway: true };
  const to = ['hanako@example.com', 'Bounce@Example.jp'];
  await stack().insert({ id: 'to-three', ...mail, to, cc: 'Jiro <jiro@example.com>' });
  await stack().insert({ id: 'to-one', ...mail, to: BOUNCE, provider: 'customers-mail-cloud' });
  // No other row leads to a failed item, or to a log row without an event.
  await stack().insert({ id: 'failed', ...mail, to: `${BOUNCE}, nobody` });
  await stack().log({
    messageId: 'silent',
    entry: 'mail',
    from: 'a@example.com',
    to: ['x@example.com'],
    bcc: [BOUNCE],
  });
  await stack().postSendGrid([
    { event: 'something new', email: 'BOUNCE@example.jp', sg_event_id: 'e', sg_message_id: 'm' },
  ]);
  for (const id of ['to-three', 'to-one']) {
    const { messageId } = await stack().settled(id);
    await stack().event(String(messageId), 'bounced');
    await until('the failure to be joined', async () => {
      const rows = await stack().bounces(String(messageId));
      return (rows.length > 0 && rows.every(({ matched }) => matched)) || undefined;
    });
  }
  await stack().settled('failed');
  await stack().recorded();
});

test('one person is exported and erased, also after an interruption, and other recipients of shared rows stay', async () => {
  const before = await everyRow();
  const dryRun = await forget(BOUNCE);
  expect(dryRun).toMatchObject({ status: 0, stderr: '' });
  expect(dryRun.stdout).toMatch(
    /Mail +2 rows would be deleted; this person would be removed from 1 row with several recipients/,
  );
  expect(dryRun.stdout).toContain('Nothing was changed. To erase the data, add --yes to this command, after the --.');
  expect(dryRun.stdout).toMatch(/point-in-time recovery.*35 days/);
  expect(dryRun.stdout).toContain('A later post of a provider can bring a row back.');
  expect(await everyRow()).toEqual(before);

  // Storage fails after the first rows.
  let deleted = 0;
  stack().storage.plan = ({ action, caller }) =>
    caller === 'local' && action === 'DeleteItem' && ++deleted > 2 ? 'error 500' : undefined;
  const file = join(stack().dir, 'person.json');
  const interrupted = await forget('BOUNCE@EXAMPLE.JP', '--yes', '--export', file);
  expect(interrupted.status).toBe(1);
  stack().storage.plan = () => undefined;
  const left = await rowsWith(BOUNCE);
  expect(left.length).toBeGreaterThan(0);
  expect(left.length).toBeLessThan(before.filter((row) => row.toLowerCase().includes(BOUNCE)).length);

  const again = await forget(BOUNCE, '--yes');
  expect(again).toMatchObject({ status: 0, stderr: '' });
  expect(again.stdout).toMatch(/Erased: \d+ rows\./);
  expect(await rowsWith(BOUNCE)).toEqual([]);
  // The rows of the other recipients are still there.
  expect((await stack().mail('to-three'))?.['to']).toBe('[{"email":"hanako@example.com"}]');
  expect((await stack().mail('to-three'))?.['cc']).toBe('Jiro <jiro@example.com>');
  expect(await stack().story('silent')).toMatchObject([{ to: ['x@example.com'] }]);
  for (const address of ['hanako@example.com', 'jiro@example.com']) {
    const count = (rows: readonly string[]) => rows.filter((row) => row.includes(address)).length;
    expect(count(await everyRow())).toBe(count(before));
  }
  expect((await forget(BOUNCE, '--yes')).stdout).toContain('Erased: 0 rows.');

  const exported = JSON.parse(await readFile(file, 'utf8'));
  expect(exported).toMatchObject({ address: 'BOUNCE@EXAMPLE.JP' });
  expect(exported.Mail.map(({ id }: { id: string }) => id).toSorted()).toEqual(['failed', 'to-one', 'to-three']);
  expect(exported.SentLog.length).toBeGreaterThan(5);
  expect(exported.Bounce.length).toBeGreaterThan(2);
  // For a mail to several recipients, only this person's part.
  expect(JSON.stringify(exported)).not.toMatch(/hanako|jiro/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('an export overwrites no existing file, and then nothing is erased', async () => {
  const { outputsFile } = stack().local;
  const before = await everyRow();
  const refused = await forget('hanako@example.com', '--yes', '--export', outputsFile);
  expect(refused).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('the file exists already. Nothing was erased'),
  });
  expect(await everyRow()).toEqual(before);
});

test('a row whose text still contains the address is named', async () => {
  await stack().log({
    messageId: 'about-saburo',
    entry: 'mail',
    from: 'a@example.com',
    to: ['x@example.com'],
    subject: 'A word about saburo@example.com',
  });
  const { stdout } = await forget('saburo@example.com', '--yes');
  expect(stdout).toContain('SentLog {"messageId":"about-saburo","entry":"mail"}');
  expect(await rowsWith('saburo@example.com')).toHaveLength(1);
  expect(await forget('nobody')).toMatchObject({ status: 1, stderr: expect.stringContaining('not an e-mail address') });
});
