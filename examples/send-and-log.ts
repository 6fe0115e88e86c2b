/**
 * An application that sends its own mail through SendGrid, logs each mail in Todoke, and looks up what bounced.
 *
 * While `npm start` is running:
 *
 *     npx tsx examples/send-and-log.ts bounce@example.com
 *
 * On a deployed stack, in a role to which both LogMailPolicyArn and ReadBouncesPolicyArn are attached:
 *
 *     SENDGRID_API_KEY=SG.… npx tsx examples/send-and-log.ts --outputs cdk-outputs.json somebody@example.com
 *
 * Copy everything down to the end of bouncesOf. The rest is for the command line.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import sendGridClient from '@sendgrid/client';
import sendGridMail from '@sendgrid/mail';
import * as z from 'zod';

interface Mail {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** The tables that this example uses. Their names are outputs of the stack. */
interface Tables {
  readonly client: DynamoDBDocumentClient;
  readonly sentLog: string;
  readonly bounce: string;
}

/** @returns the message id, which is the partition key of the mail's rows in SentLog */
async function sendAndLog(mail: Mail, tables: Tables): Promise<string> {
  const [response] = await sendGridMail.send(mail);
  const messageId = z.string().parse(response.headers['x-message-id']);
  // The mail is sent. If this put fails, try only the put again later.
  await tables.client.send(
    new PutCommand({
      TableName: tables.sentLog,
      Item: { messageId, entry: 'mail', provider: 'sendgrid', from: mail.from, to: mail.to, subject: mail.subject },
    }),
  );
  return messageId;
}

/** The attributes of a Bounce row that this example reads. */
const bounceSchema = z.object({
  outcome: z.string(),
  bounceClass: z.string(),
  reason: z.string(),
  occurredAt: z.string(),
  subject: z.string().optional(),
});

/** The failures of a mail to an address, newest first. Skips the other rows of the address, such as decisions. */
async function bouncesOf(messageId: string, address: string, tables: Tables): Promise<z.infer<typeof bounceSchema>[]> {
  const { Items } = await tables.client.send(
    new QueryCommand({
      TableName: tables.bounce,
      IndexName: 'byRecipient',
      KeyConditionExpression: 'toEmail = :toEmail',
      FilterExpression: 'messageId = :messageId AND matched = :true',
      ExpressionAttributeValues: { ':toEmail': address.toLowerCase(), ':messageId': messageId, ':true': true },
      ScanIndexForward: false,
    }),
  );
  return z.array(bounceSchema).parse(Items);
}

/** The outputs of a stack; the last two are of local mode only. */
const outputsSchema = z.object({
  SentLogTableName: z.string(),
  BounceTableName: z.string(),
  DynamoDbEndpoint: z.string().optional(),
  SendGridApiUrl: z.string().optional(),
});

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { outputs: { type: 'string', default: '.local/outputs.json' } },
});
const [to = 'bounce@example.com'] = positionals;
const tables = await open(values.outputs);
const messageId = await sendAndLog(
  { from: 'Shop <shop@example.com>', to, subject: 'Your order', text: 'Thank you.' },
  tables,
);
console.log(`Sent to ${to} and logged as ${messageId}`);

const bounce = await firstBounce(messageId, to, tables);
console.log(
  bounce
    ? `"${bounce.subject}" ${bounce.outcome} (${bounce.bounceClass}) at ${bounce.occurredAt}: ${bounce.reason}`
    : 'It has not bounced within ten seconds.',
);

/** Waits for the bounce. A real application does not wait. It calls bouncesOf later. */
async function firstBounce(messageId: string, address: string, tables: Tables) {
  for (let second = 1; second <= 10; second++) {
    await sleep(1000);
    const [found] = await bouncesOf(messageId, address, tables);
    if (found) return found;
  }
  return undefined;
}

/** Reads the file that `cdk deploy --outputs-file` or `npm start` wrote, and prepares both clients. */
async function open(outputsFile: string): Promise<Tables> {
  const text = await readFile(outputsFile, 'utf8').catch((cause) => {
    throw new Error(
      `Cannot read ${outputsFile}. \`npm start\` writes .local/outputs.json; \`npx cdk deploy --outputs-file <file>\` writes the outputs of a deployed stack`,
      { cause },
    );
  });
  const stacks = z.record(z.string(), outputsSchema).parse(JSON.parse(text));
  const [outputs] = Object.values(stacks);
  if (!outputs) throw new Error(`Cannot use ${outputsFile}: it holds no stack`);

  const apiKey = outputs.SendGridApiUrl ? await localApiKey(outputsFile) : process.env['SENDGRID_API_KEY'];
  if (!apiKey) throw new Error('Cannot send: SENDGRID_API_KEY is not set');
  sendGridClient.setApiKey(apiKey);
  // After setApiKey, which resets the base URL.
  if (outputs.SendGridApiUrl) sendGridClient.setDefaultRequest('baseUrl', outputs.SendGridApiUrl);
  sendGridMail.setClient(sendGridClient);

  // In AWS the SDK finds region and credentials itself.
  const local = outputs.DynamoDbEndpoint !== undefined && {
    endpoint: outputs.DynamoDbEndpoint,
    region: process.env['AWS_REGION'] ?? 'ap-northeast-1',
    credentials: { accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? 'local', secretAccessKey: 'local' },
  };
  return {
    client: DynamoDBDocumentClient.from(new DynamoDBClient(local || {})),
    sentLog: outputs.SentLogTableName,
    bounce: outputs.BounceTableName,
  };
}

/** The API key that the simulated SendGrid accepts. */
async function localApiKey(outputsFile: string): Promise<string> {
  const file = join(dirname(outputsFile), 'sender-secret.json');
  return z.object({ sendgridApiKey: z.string() }).parse(JSON.parse(await readFile(file, 'utf8'))).sendgridApiKey;
}
