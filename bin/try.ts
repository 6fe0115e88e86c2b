/** `npm run try`: the walk-throughs, beside a running `npm start`. */
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import type { Row } from '../lambda/aws/dynamodb.ts';
import { PROVIDERS, type Provider, readProvider } from '../lambda/mail/provider.ts';
import { OUTCOMES } from '../lambda/mail/verdict.ts';
import { decide } from '../lambda/recipients/decision.ts';
import { LOG_ROW_ENTRY } from '../lambda/recording/entries.ts';
import { counted } from '../local/counted.ts';
import { isLocal, localAwsCli } from './support/aws.ts';
import { runCommand } from './support/command.ts';
import { OUTPUTS_OPTION, readOutputs, type StackOutputs } from './support/outputs.ts';
import { publishedEvents } from './support/published-events.ts';
import { documentClientOf, tablesWith } from './support/stack-tables.ts';
import { faint, good, heading, rowText, shellWord } from './support/terminal.ts';

/** Longer than any simulated delivery with the default delay. */
const PATIENCE_MS = 30_000;
const POLL_MS = 150;

await runCommand(
  {
    command: 'npm run try',
    does: 'sends a message that arrives and one that bounces, then the first one again, to the address that bounced; shows each row as it appears',
    options: {
      outputs: OUTPUTS_OPTION,
      provider: { default: 'sendgrid', help: 'sendgrid or customers-mail-cloud' },
    },
  },
  async ({ outputs: file, provider }) => {
    if (readProvider(provider) === undefined) {
      throw new Error(`Cannot use --provider ${provider}: it must be ${PROVIDERS.join(' or ')}`);
    }
    const outputs = await readOutputs(file);
    if (!receivedProviders(outputs).some((received) => received === readProvider(provider))) {
      throw new Error(`Cannot try ${provider}: the setting \`providers\` leaves its webhook out`);
    }
    if (!isLocal(outputs)) {
      throw new Error(
        `Cannot try ${file}: it is from a deployed stack, and this command works only with local mode (npm start)`,
      );
    }
    await play(outputs, provider, documentClientOf(outputs), join(dirname(file), 'logs'));
    console.log(goOn(outputs, provider, file));
  },
);

async function play(
  outputs: StackOutputs,
  provider: string,
  client: DynamoDBDocumentClient,
  logs: string,
): Promise<void> {
  const until = <Found>(what: string, look: () => Promise<Found | undefined>) => patiently(what, look, logs);
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '');
  const first = `try-${stamp}-1`;
  const second = `try-${stamp}-2`;
  const shop = { provider, from: '{"email":"shop@example.com","name":"さくら商店"}', subject: 'ご注文の確認' };
  const there = '{"email":"taro@example.jp","name":"山田太郎"}';
  // Customers Mail Cloud posts a failed delivery and a bounce, and either can be recorded first.
  const failures = provider === 'customers-mail-cloud' ? ['failed', 'bounced'] : ['bounced'];
  // A new address in each run: after a bounce an address gets no more mail.
  const address = `bounce+${stamp.replace(/\D/g, '')}@example.jp`;
  const missing = `{"email":"${address}","name":"鈴木花子"}`;

  say(
    '1. A message to an address that exists',
    `An item is put into ${outputs.MailTableName}, as the DynamoDB console does it:`,
  );
  await insert({ id: first, ...shop, to: there, content: 'ありがとうございます。' });
  const delivered = await follow(first);
  await untilStates(delivered, ['delivered']);
  await expectNoBounces(delivered);

  say('2. A message to an address that does not exist', 'The same as above, but there is no such mailbox:');
  await insert({ id: second, ...shop, to: missing, content: 'ありがとうございます。' });
  const bounced = await follow(second);
  await untilStates(bounced, failures);
  await showBounces(bounced);

  say(
    '3. The first item again, edited',
    'One edit changes the recipient to the address that bounced, and deletes `status`, which sends the item again. But the address is suppressed now:',
  );
  await editFirst();
  const refused = await settled(first, 'failed');
  show('Mail', 'it was not sent', refused, ['id', 'status', 'error'], Number.POSITIVE_INFINITY);
  for (const row of await until('the Bounce row', () => bounces(String(refused['messageId'])))) {
    show('Bounce', 'the recipient was left out', row, ['toEmail', 'outcome', 'type', 'reason', 'mailId']);
  }

  say(
    '4. The same, with the address allowed',
    `The address is allowed first, as by: npm run suppressions -- remove ${address}`,
  );
  await decide(tablesWith(outputs, client), { email: address, outcome: 'allowed', reason: 'try', atMs: Date.now() });
  await editFirst();
  const again = await follow(first);
  await untilStates(again, failures);
  await showBounces(again);

  async function editFirst(): Promise<void> {
    await client.send(
      new UpdateCommand({
        TableName: outputs.MailTableName,
        Key: { id: first },
        UpdateExpression: 'SET #to = :to REMOVE #status',
        ExpressionAttributeNames: { '#to': 'to', '#status': 'status' },
        ExpressionAttributeValues: { ':to': missing },
      }),
    );
  }

  async function insert(item: Row): Promise<void> {
    console.log(rowText(item, ['id', 'provider', 'from', 'to', 'subject', 'content']));
    await client.send(new PutCommand({ TableName: outputs.MailTableName, Item: item }));
  }

  /** Shows how an item is sent and logged, and gives the message id. */
  async function follow(id: string): Promise<string> {
    const item = await settled(id, 'sent');
    show('Mail', 'it was sent', item, ['id', 'status', 'messageId', 'sentAt', 'attempts']);
    const messageId = String(item['messageId']);
    const log = await until('the log row', async () =>
      (await story(messageId)).find(({ entry }) => entry === LOG_ROW_ENTRY),
    );
    show('SentLog', 'and logged', log, ['messageId', 'entry', 'from', 'to', 'subject', 'sentAt']);
    return messageId;
  }

  async function settled(id: string, expected: 'sent' | 'failed'): Promise<Row> {
    const item = await until(`the item ${id} to be ${expected}`, async () => {
      const { Item } = await client.send(
        new GetCommand({ TableName: outputs.MailTableName, Key: { id }, ConsistentRead: true }),
      );
      return Item?.['status'] === 'sent' || Item?.['status'] === 'failed' ? Item : undefined;
    });
    const { status, error } = item;
    if (status === expected) return item;
    throw new Error(`Cannot go on: the item ${id} is ${String(status)}${error ? `: ${String(error)}` : ''}`);
  }

  /** Shows the events of a mail as they come, until there is one of each state. */
  async function untilStates(messageId: string, states: readonly string[]): Promise<void> {
    const shown = new Set<unknown>();
    await until(`the message to be ${states.join(' and ')}`, async () => {
      const events = (await story(messageId)).filter(({ entry }) => entry !== LOG_ROW_ENTRY);
      for (const event of events.filter(({ entry }) => !shown.has(entry))) {
        shown.add(event['entry']);
        show('SentLog', 'the provider reports', event, ['entry', 'state', 'recipient', 'reason']);
      }
      return states.every((state) => events.some((event) => event['state'] === state)) || undefined;
    });
  }

  async function expectNoBounces(messageId: string): Promise<void> {
    const { length } = await until('the Bounce rows', () => bounces(messageId));
    if (length > 0)
      throw new Error(`Cannot go on: ${messageId} was delivered and has ${counted(length, 'Bounce row')}`);
    console.log(`\n  ${good('✓')} and no row in Bounce: nothing went wrong`);
  }

  async function showBounces(messageId: string): Promise<void> {
    const rows = await until('the Bounce row', async () => {
      const found = (await bounces(messageId)) ?? [];
      return found.length > 0 && found.every(({ matched }) => matched === true) ? found : undefined;
    });
    for (const row of rows) {
      show('Bounce', 'joined with the mail that was sent', row, [
        'toEmail',
        'toName',
        'fromEmail',
        'fromName',
        'subject',
        'event',
        'outcome',
        'bounceClass',
        'cause',
        'smtpCode',
        'enhancedStatusCode',
        'reason',
        'mailId',
      ]);
      await showEvent(row);
    }
    console.log(`\n  ${good('✓')} Bounce says who did not get the message, and why`);
  }

  /** Shows the event that applications get about a failure, if the stack publishes failures. */
  async function showEvent(row: Row): Promise<void> {
    const { PublishedEventsFile: file, PublishFailures } = outputs;
    if (file === undefined || PublishFailures !== 'on') return;
    const event = await until('the event', async () =>
      (await publishedEvents(file, { fullMessageId: row['fullMessageId'], eventId: row['eventId'] })).find(
        ({ detail }) => detail.matched,
      ),
    );
    const { detail, ...rest } = event;
    show('EventBridge', 'published; a rule can deliver it', { ...rest, detail }, ['detail-type', 'time', 'detail']);
  }

  async function story(messageId: string): Promise<Row[]> {
    const { Items } = await client.send(
      new QueryCommand({
        TableName: outputs.SentLogTableName,
        ConsistentRead: true,
        KeyConditionExpression: '#messageId = :messageId',
        ExpressionAttributeNames: { '#messageId': 'messageId' },
        ExpressionAttributeValues: { ':messageId': messageId },
      }),
    );
    return Items ?? [];
  }

  /** The Bounce rows of a mail, by their keys in its story. Undefined until all of them are written. */
  async function bounces(messageId: string): Promise<Row[] | undefined> {
    const failures = (await story(messageId)).filter(({ state }) => OUTCOMES.some((failure) => failure === state));
    const rows = await Promise.all(
      failures.map(async ({ fullMessageId, eventId }) => {
        const { Item } = await client.send(
          new GetCommand({ TableName: outputs.BounceTableName, Key: { fullMessageId, eventId } }),
        );
        return Item;
      }),
    );
    return rows.every((row) => row !== undefined) ? rows : undefined;
  }
}

/** The providers whose events the stack receives. */
function receivedProviders({ SendGridWebhookUrl, CustomersMailCloudWebhookUrl }: StackOutputs): Provider[] {
  const urls = { sendgrid: SendGridWebhookUrl, 'customers-mail-cloud': CustomersMailCloudWebhookUrl };
  return PROVIDERS.filter((provider) => urls[provider] !== undefined);
}

async function patiently<Found>(what: string, look: () => Promise<Found | undefined>, logs: string): Promise<Found> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadlineMs) {
      throw new Error(
        `Cannot go on: waited ${PATIENCE_MS / 1000} s for ${what}. Is npm start still running? The functions' logs are in ${logs}`,
      );
    }
    await sleep(POLL_MS);
  }
}

function say(title: string, text: string): void {
  console.log(`\n${heading(title)}\n  ${text}`);
}

function show(table: string, what: string, row: Row, attributes: readonly string[], longest?: number): void {
  console.log(`\n  ${faint('→')} ${table}: ${what}\n${rowText(row, attributes, longest)}`);
}

function goOn(outputs: StackOutputs, provider: string, file: string): string {
  const other = receivedProviders(outputs).find((name) => name !== readProvider(provider));
  const named = file === OUTPUTS_OPTION.default ? '' : `--outputs ${shellWord(file)} `;
  const aws = localAwsCli(outputs.DynamoDbEndpoint);
  return `
${heading('Next steps')}
${other === undefined ? '' : `  The same with the other provider:\n    npm run try -- ${named}--provider ${other}\n\n`}  All bounces, with the AWS CLI:
    ${aws} scan --table-name ${outputs.BounceTableName}

  The story of every message:
    ${aws} scan --table-name ${outputs.SentLogTableName}

  In your own AWS account:
    npx cdk bootstrap
    npx cdk deploy --outputs-file cdk-outputs.json
`;
}
