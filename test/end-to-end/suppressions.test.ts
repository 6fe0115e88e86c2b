import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseOutputs } from '../../bin/support/outputs.ts';
import { tablesOf } from '../../bin/support/stack-tables.ts';
import { type CsvRecord, csvLine, csvRecords } from '../../bin/support/suppressions/csv.ts';
import { batchPut } from '../../lambda/aws/dynamodb.ts';
import type { Tables } from '../../lambda/recipients/tables.ts';
import type { Rig } from '../faults/storage.ts';
import { withStorage } from '../faults/with-storage.ts';
import { temporaryFolder, whenFinished } from '../temporary.ts';
import { ranHere } from './command.ts';

/** 100,000 take half a minute: TMPDIR=/tmp IMPORT_LINES=100000 npx vitest run test/end-to-end/suppressions.test.ts */
const LINES = Number(process.env['IMPORT_LINES'] ?? 600);

const storage = withStorage();
let rig: Rig;
let tables: Tables;
let outputsFile: string;
beforeAll(async () => {
  rig = await storage().rig();
  const name = (table: string) => storage().template.ref(table);
  const outputs = {
    MailTableName: name('Mail'),
    SentLogTableName: name('SentLog'),
    BounceTableName: name('Bounce'),
    WebhookSecretName: 'none',
    SenderSecretName: 'none',
    DynamoDbEndpoint: rig.proxy.endpoint,
  };
  outputsFile = join(temporaryFolder(), 'outputs.json');
  await writeFile(outputsFile, JSON.stringify({ Todoke: outputs }));
  tables = tablesOf(parseOutputs(outputs));
  whenFinished(() => tables.client.destroy());
});
beforeEach(() => {
  rig.proxy.calls.length = 0;
});

const run = (...args: string[]) => ranHere(outputsFile, 'suppressions', args);
const succeeded = async (...args: string[]) => {
  const { stdout, stderr, status } = await run(...args);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout;
};
const put = async (...rows: object[]) =>
  expect(
    await batchPut(
      tables.client,
      rows.map((row) => ({ table: tables.bounce, row: { ...row } })),
      AbortSignal.timeout(20_000),
    ),
  ).toEqual([]);
const hard = (toEmail: string, occurredAt: string) => ({
  ...{ fullMessageId: `of ${toEmail}`, eventId: occurredAt, toEmail, occurredAt, outcome: 'bounced' },
  ...{ bounceClass: 'hard', reason: '550 5.1.1 User unknown', matched: true },
});
const decisionsOn = async (email: string) => {
  const { Items } = await tables.client.send(
    new QueryCommand({
      TableName: tables.bounce,
      KeyConditionExpression: '#key = :key',
      ExpressionAttributeNames: { '#key': 'fullMessageId' },
      ExpressionAttributeValues: { ':key': `recipient#${email}` },
    }),
  );
  return Items ?? [];
};
async function file(text: string): Promise<string> {
  const path = join(temporaryFolder(), 'list.csv');
  await writeFile(path, text);
  return path;
}

test('check says since when, why and by whom an address is suppressed, and its exit code says whether mail may be sent', async () => {
  await put(
    hard('hanako@example.jp', '2026-11-24T10:00:00.000Z'),
    { ...hard('taro@example.jp', '2026-11-24T10:00:00.000Z'), bounceClass: 'soft' },
    { ...hard('jiro@example.jp', '2026-11-24T10:00:00.000Z'), bounceClass: 'undetermined', outcome: 'complained' },
  );
  expect(await run('check', 'Hanako <HANAKO@example.jp>')).toEqual({
    stdout: 'HANAKO@example.jp: suppressed since 2026-11-24T10:00:00.000Z by a hard bounce: 550 5.1.1 User unknown\n',
    stderr: '',
    status: 3,
  });
  expect(await succeeded('check', 'taro@example.jp')).toBe('taro@example.jp: not suppressed\n');
  expect((await run('check', 'jiro@example.jp')).stdout).toContain('by a complaint');
  expect(JSON.parse((await run('check', 'hanako@example.jp', '--json')).stdout)).toEqual({
    email: 'hanako@example.jp',
    suppressed: { since: '2026-11-24T10:00:00.000Z', reason: '550 5.1.1 User unknown', by: 'bounce' },
  });
  expect(JSON.parse(await succeeded('check', 'taro@example.jp', '--json')).suppressed).toBeNull();
});

test('remove and add are decisions, which do not expire; after a later hard bounce the address is suppressed again', async () => {
  const email = 'back@example.jp';
  // A bounce of a provider whose clock is ahead.
  const ahead = new Date(Date.now() + 3_600_000).toISOString();
  await put(hard(email, ahead));
  expect(await succeeded('remove', email, '--reason', 'they fixed it')).toMatch(
    /^back@example\.jp gets mail again\. Before, it was suppressed since .* by a hard bounce: 550/,
  );
  await succeeded('check', email);
  expect(await decisionsOn(email)).toEqual([
    {
      fullMessageId: `recipient#${email}`,
      eventId: `decision#${ahead}`,
      toEmail: email,
      occurredAt: ahead,
      outcome: 'allowed',
      reason: 'they fixed it',
    },
  ]);
  // The decision to allow got the same late time. The next decision must count nevertheless.
  await succeeded('add', email);
  expect((await run('check', email)).status).toBe(3);
  await succeeded('remove', email);
  await put(hard(email, new Date(Date.parse(ahead) + 1).toISOString()));
  expect((await run('check', email)).status).toBe(3);

  expect(await succeeded('add', 'Stop@例え.jp', '--reason', 'asked by phone')).toMatch(
    /gets no more mail\. Before, it was not suppressed\./,
  );
  const { stdout, status } = await run('check', 'stop@xn--r8jz45g.jp');
  expect([stdout, status]).toEqual([expect.stringMatching(/by a decision: asked by phone\n$/), 3]);
});

describe('import', () => {
  test("reads SendGrid's file, in any of its forms", async () => {
    const path = await file(
      '\ufeffStatus,Reason,EMAIL,Created\r\n' +
        '5.1.1,"550 5.1.1 ""no such user"",\r\ntry again",One@Example.org,1790000000\r\n' +
        '\r\n' +
        ',,two@example.org,2026-09-21 12:26:40\r\n' +
        ',spam,three@example.org,\r\n',
    );
    expect(await succeeded('import', path)).toBe('Imported: 3 addresses.\n');
    expect(await decisionsOn('one@example.org')).toMatchObject([
      {
        occurredAt: '2026-09-21T14:13:20.000Z',
        outcome: 'suppressed',
        reason: '550 5.1.1 "no such user",\r\ntry again',
      },
    ]);
    expect(await decisionsOn('two@example.org')).toMatchObject([{ occurredAt: '2026-09-21T12:26:40.000Z' }]);
    expect(await decisionsOn('three@example.org')).toMatchObject([{ occurredAt: '1970-01-01T00:00:00.000Z' }]);
    for (const name of ['one', 'two', 'three']) expect((await run('check', `${name}@example.org`)).status).toBe(3);
  });

  test('a second import writes the same rows, and undoes no decision to allow', async () => {
    const path = await file('email,created\nagain@example.org,1790000000\nundated@example.org,\n');
    await succeeded('import', path);
    await succeeded('remove', 'again@example.org');
    await succeeded('remove', 'undated@example.org');
    const before = await decisionsOn('again@example.org');
    await succeeded('import', path);
    expect(await decisionsOn('again@example.org')).toEqual(before);
    await succeeded('check', 'again@example.org');
    await succeeded('check', 'undated@example.org');
  });

  test('counts and names bad lines, and imports all others', async () => {
    const path = await file('email,created\ngood@example.org,\nnobody,\n\na@example.org,soon\n"a@b.jp, c@d.jp",1\n');
    const { stdout, stderr, status } = await run('import', path);
    expect(stdout.split('\n')).toEqual([
      'line 3: Cannot use "nobody": it is not an e-mail address',
      'line 5: created is "soon", but must be a time',
      'line 6: email has no address, or more than one',
      'Imported: 1 address.',
      '',
    ]);
    expect([stderr, status]).toEqual(['\nCannot import 3 lines, named above. All others were imported\n', 1]);
    expect((await run('check', 'good@example.org')).status).toBe(3);
  });

  test('writes many lines in batches, and shows progress', async () => {
    const lines = Array.from({ length: LINES }, (_, n) => `member-${n}@many.example,1790000000\n`);
    const path = await file(`email,created\n${lines.join('')}member-0@many.example,1790000000\n`);
    const stdout = await succeeded('import', path);
    expect(stdout).toMatch(LINES >= 10_000 ? /… 10,000 addresses written/ : /^Imported/);
    const writes = rig.proxy.calls.filter(({ action }) => action === 'BatchWriteItem').length;
    expect(writes).toBeLessThanOrEqual(LINES / 25 + 10);
    expect((await run('check', `member-${LINES - 1}@many.example`)).status).toBe(3);
  }, 600_000);

  test.each([
    ['email\n"never closed', /Cannot import .*list\.csv: Cannot read line 2: a quotation mark is never closed/],
    ['address\na@example.org', /Cannot import .*: its first line has no column email/],
  ])('%j is refused', async (text, words) => {
    const { stderr, status } = await run('import', await file(text));
    expect([stderr, status]).toEqual([expect.stringMatching(words), 1]);
  });
});

test('list and export show who is suppressed now, and import reads what export writes', async () => {
  await put(
    hard('listed@list.example', '2026-11-24T10:00:00.000Z'),
    hard('freed@list.example', '2026-11-24T10:00:00.000Z'),
  );
  await succeeded('remove', 'freed@list.example');
  await succeeded('add', 'added@list.example', '--reason', 'a "reason",\nof two lines');
  await put({ ...hard('formula@list.example', '2026-11-24T10:00:00.000Z'), reason: '=HYPERLINK(1)' });
  const listed = await succeeded('list');
  expect(listed).toContain(
    'listed@list.example: suppressed since 2026-11-24T10:00:00.000Z by a hard bounce: 550 5.1.1 User unknown\n',
  );
  expect(listed).toMatch(/added@list\.example: .* by a decision: a "reason", of two lines\n/);
  expect(listed).not.toContain('freed@list.example');
  const all: { email: string }[] = JSON.parse(await succeeded('list', '--json'));
  expect(listed).toMatch(new RegExp(`\\n${all.length} addresses\\.\\n$`));

  const path = join(temporaryFolder(), 'exported.csv');
  expect(await succeeded('export', path)).toContain(`Exported ${all.length} addresses`);
  expect(await readFile(path, 'utf8')).toContain(
    'listed@list.example,2026-11-24T10:00:00.000Z,550 5.1.1 User unknown,bounce\r\n',
  );
  // A spreadsheet would run this text as a formula.
  expect(await readFile(path, 'utf8')).toContain(",'=HYPERLINK(1),bounce\r\n");
  expect((await run('export', path)).stderr).toMatch(/the file exists already/);
  await succeeded('import', path);
  expect(JSON.parse(await succeeded('list', '--json')).map(({ email }: { email: string }) => email)).toEqual(
    all.map(({ email }) => email),
  );
});

test.each([
  [['check'], /Cannot check: give an address/],
  [['import'], /Cannot import: give a file/],
  [['list', 'a@example.jp'], /Cannot list one address: use check/],
  [['purge', 'a@example.jp'], /Cannot run purge: .* check, add, remove, list, import, export/],
  [['add', 'a@example.jp,b@example.jp'], /Cannot use a@example.jp,b@example.jp: give one address/],
  [['import', '/nowhere/at-all.csv'], /Cannot import \/nowhere\/at-all\.csv: ENOENT/],
])('%j is refused', async (args, words) => {
  const { stderr, status } = await run(...args);
  expect([stderr, status]).toEqual([expect.stringMatching(words), 1]);
});

test('a quotation mark inside a cell is a normal character, and does not join lines', async () => {
  const records: CsvRecord[] = [];
  for await (const record of csvRecords(chunksOf('a,5" disk\nb,x ""y"" "z\nc,"",d\n', 3))) records.push(record);
  expect(records.map(({ cells }) => cells)).toEqual([
    ['a', '5" disk'],
    ['b', 'x ""y"" "z'],
    ['c', '', 'd'],
  ]);
});

test('a record is read correctly however the file is split into chunks', async () => {
  const rows = [
    ['email', 'reason'],
    ['a@example.jp', 'a "b", c\r\nd'],
    ['', '"'],
    ['b@example.jp', ''],
  ];
  const text = rows.map(csvLine).join('');
  for (let size = 1; size < text.length; size++) {
    const records: CsvRecord[] = [];
    for await (const record of csvRecords(chunksOf(text, size))) records.push(record);
    expect(records.map(({ cells }) => cells)).toEqual(rows);
    expect(records.map(({ line }) => line)).toEqual([1, 2, 4, 5]);
  }
});

async function* chunksOf(text: string, size: number) {
  for (let start = 0; start < text.length; start += size) yield text.slice(start, start + size);
}
