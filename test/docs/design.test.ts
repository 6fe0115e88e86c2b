import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { documentClient } from '../../lambda/aws/dynamodb.ts';
import type { FailureEvent } from '../../lambda/mail/event.ts';
import { outgoingMail } from '../../lambda/mail/outgoing-mail.ts';
import { blocklistedRow, bounceRow, logRow, storyRow, unrecognizedRow } from '../../lambda/recording/rows.ts';
import { mailTable, ticket } from '../../lambda/sending/mail-table.ts';
import { sendAgain } from '../../lambda/sending/send-again.ts';
import { newSending } from '../../lambda/sending/sending.ts';
import { assemblyDir } from '../prepared.ts';
import { codes, firstTable, readPage, section } from './pages.ts';

const design = await readPage('docs/design.md');

const address = { email: 'a@example.com', name: 'A' };
const time = { receivedAtMs: Date.parse('2026-11-24T15:29:54Z'), retentionDays: 180 };

/** A failure with every field, some of which had to be shortened. */
const failure: FailureEvent = {
  kind: 'failure',
  state: 'bounced',
  provider: 'sendgrid',
  messageIds: ['id'],
  fullMessageId: 'id.recvd',
  eventId: 'event',
  recipient: address.email,
  reason: '550 5.1.1 '.repeat(20_000),
  timestamp: 1_795_534_193,
  event: 'bounce',
  type: 'bounce',
  classification: {
    outcome: 'bounced',
    bounceClass: 'hard',
    cause: 'address-unknown',
    smtpCode: '550',
    enhancedStatusCode: '5.1.1',
  },
  details: {},
};
const joined = { messageId: 'id', mailId: 'mail', from: address, recipients: [address], subject: 'Subject' };

const attributesOf = (row: object) =>
  Object.entries(row).flatMap(([name, value]) => (value === undefined ? [] : [name]));
const set = (names: readonly string[]) => [...new Set(names)].toSorted();

describe('the reference of the tables in docs/design.md has exactly the attributes of the code', () => {
  test('Mail: the attributes that the sender reads and writes', async () => {
    const rows = firstTable(section(design, '### Mail: what to send'));
    const by = (who: string) => set(rows.filter((row) => row[1] === who).flatMap(([attribute]) => codes(attribute)));
    expect(by('you')).toEqual(set(attributesRead()));
    expect(by('send-mail')).toEqual(set(await attributesWritten((table) => writeEverything(table))));
    const resent = await attributesWritten((_, client) =>
      sendAgain(client, 'Mail', { id: 'mail', status: 'failed' }, Date.now()),
    );
    expect(by('`npm run resend`')).toEqual(resent.filter((name) => name !== 'status'));
    expect(
      rows.map((row) => row[1]).filter((who) => !['you', 'send-mail', '`npm run resend`'].includes(who ?? '')),
    ).toEqual([]);
  });

  test('SentLog: log rows, and events', () => {
    const rows = firstTable(section(design, '### SentLog: the story of each mail'));
    const inColumn = (column: number) =>
      set(rows.filter((row) => row[column] !== '—').flatMap(([attribute]) => codes(attribute)));
    const mail = { messageId: 'id', provider: 'sendgrid', mailId: 'mail', from: address, subject: 'Subject' } as const;
    const log = logRow({ ...mail, to: [address], cc: [address], bcc: [address] }, time.receivedAtMs, 180);
    expect(inColumn(1)).toEqual(set(attributesOf(log)));
    expect(inColumn(2)).toEqual(set(attributesOf(storyRow(failure, 'id', time))));
  });

  test('Bounce: failures and unrecognized events', () => {
    const rows = firstTable(section(design, '### Bounce: what went wrong'));
    const unrecognized = unrecognizedRow(
      { kind: 'unrecognized', provider: 'sendgrid', fullMessageId: 'id', eventId: 'event', rawEvent: '{}' },
      time,
    );
    const blocklisted = blocklistedRow({ ...failure, kind: 'blocklisted' }, time);
    expect(set(rows.flatMap(([attribute]) => codes(attribute)))).toEqual(
      set([bounceRow(failure, joined, time), blocklisted, unrecognized, { rejoined: true }].flatMap(attributesOf)),
    );
  });

  test('keys and indexes are those of the template', async () => {
    const { Resources } = templateSchema.parse(
      JSON.parse(await readFile(join(await assemblyDir(), 'Todoke.template.json'), 'utf8')),
    );
    for (const [heading, logicalId] of [
      ['### Mail: what to send', 'Mail'],
      ['### SentLog: the story of each mail', 'SentLog'],
      ['### Bounce: what went wrong', 'Bounce'],
    ] as const) {
      const { KeySchema, GlobalSecondaryIndexes } = tableSchema.parse(Resources[logicalId]?.Properties);
      const indexes = GlobalSecondaryIndexes.flatMap((index) => [index.IndexName, ...namesOf(index.KeySchema)]);
      const [said = ''] = section(design, heading).trim().split('\n');
      expect(codes(said)).toEqual([...namesOf(KeySchema), ...indexes]);
    }
  });
});

const keysSchema = z.array(z.object({ AttributeName: z.string() }));
const templateSchema = z.object({ Resources: z.record(z.string(), z.object({ Properties: z.unknown() })) });
const tableSchema = z.object({
  KeySchema: keysSchema,
  GlobalSecondaryIndexes: z.array(z.object({ IndexName: z.string(), KeySchema: keysSchema })).default([]),
});
const namesOf = (keys: z.infer<typeof keysSchema>) => keys.map(({ AttributeName }) => AttributeName);

/** The attributes that the sender reads from an item. */
function attributesRead(): string[] {
  const item = { id: 'mail', from: address, to: address, subject: 'Subject', content: 'Content' };
  const asked: string[] = [];
  const watched = new Proxy<Record<string, unknown>>(item, {
    get(target, name, receiver) {
      if (typeof name === 'string') asked.push(name);
      return Reflect.get(target, name, receiver);
    },
  });
  outgoingMail(watched);
  return asked;
}

type DocumentClient = ReturnType<typeof documentClient>;
type MailTable = ReturnType<typeof mailTable>;

/** The attributes that updates of Mail set. Each update is answered with an item that may be sent. */
async function attributesWritten(
  work: (table: MailTable, client: DocumentClient) => Promise<unknown>,
): Promise<string[]> {
  const client = documentClient(new DynamoDBClient({ region: 'ap-northeast-1' }));
  const expressions: string[] = [];
  client.middlewareStack.add(
    () => async (args) => {
      expressions.push(updateSchema.parse(args.input).UpdateExpression);
      return { response: {}, output: { $metadata: {}, Attributes: { id: 'mail', attempts: 1 } } };
    },
    { step: 'initialize', priority: 'high' },
  );
  await work(mailTable(client, 'Mail'), client);
  client.destroy();
  return set(expressions.flatMap((text) => [...text.matchAll(/#(\w+)/g)].map(([, name = '']) => name)));
}
const updateSchema = z.object({ UpdateExpression: z.string() });

async function writeEverything(table: MailTable): Promise<void> {
  const sending = newSending({ eventId: 'event', writtenAtMs: Date.now(), row: { id: 'mail' } });
  const result = await table.claim(sending, Date.now(), ticket(Date.now() + 60_000));
  if (result.kind !== 'claimed') throw new Error(`The item is ${result.kind}, it should be claimed`);
  await table.defer(result.claim, { nextAttemptAt: 'later', error: 'not now', attempts: 0 });
  await table.finish(result.claim, { status: 'failed', error: 'refused', attempts: 1 }, 1);
  await table.finish(result.claim, { status: 'sent', messageId: 'id', sentAt: 'now' }, 1);
}

test('docs/design.md gives the purpose of each dependency, and names no other', async () => {
  const dependencies = z.record(z.string(), z.string()).default({});
  const manifest = z
    .object({ dependencies, devDependencies: dependencies, optionalDependencies: dependencies })
    .parse(JSON.parse(await readPage('package.json')));
  const named = firstTable(section(design, '## Dependencies'));
  expect(set(named.flatMap(([packages]) => codes(packages)))).toEqual(
    set(Object.values(manifest).flatMap((packages) => Object.keys(packages))),
  );
  for (const row of named) expect(row).not.toContain('');
});
