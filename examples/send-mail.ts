/**
 * An application that sends a mail through Todoke: it puts one item into the Mail table.
 *
 * While `npm start` is running (a second time, nothing is sent):
 *
 *     npx tsx examples/send-mail.ts order-1001 bounce@example.com
 *
 * On a deployed stack, in a role to which SendMailPolicyArn is attached:
 *
 *     npx tsx examples/send-mail.ts --outputs cdk-outputs.json order-1001 somebody@example.com
 *
 * Copy everything down to the end of sendOnce. The rest is for the command line.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';

interface Mail {
  /** Names this mail, such as an order and the kind of mail. It must be the same in every call for this mail. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly content: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The Mail table. Its name is the output MailTableName of the stack. */
interface MailTable {
  readonly client: DynamoDBDocumentClient;
  readonly name: string;
}

/**
 * Sends a mail through Todoke. The mail is sent once, however often this is called with the same id. After an error, call
 * it again with the same mail.
 *
 * @returns true if this call put the item, false if there was an item with this id already
 */
async function sendOnce(mail: Mail, table: MailTable): Promise<boolean> {
  try {
    await table.client.send(
      new PutCommand({ TableName: table.name, Item: { ...mail }, ConditionExpression: 'attribute_not_exists(id)' }),
    );
    return true;
  } catch (error) {
    // An earlier call put the item. Its answer may have been lost.
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { outputs: { type: 'string', default: '.local/outputs.json' } },
});
const [id = 'order-1001', to = 'bounce@example.com'] = positionals;
const table = await open(values.outputs);
const isNew = await sendOnce(
  {
    id,
    from: 'Shop <shop@example.com>',
    to,
    subject: 'Your order',
    content: 'Thank you.',
    // Unsubscribing with one click (RFC 8058), which large mailbox providers require of bulk mail.
    headers: {
      'List-Unsubscribe': `<https://example.com/unsubscribe?mail=${encodeURIComponent(id)}>`,
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
    },
  },
  table,
);
console.log(isNew ? `Put ${id}: it goes out to ${to}` : `${id} was put before: nothing is sent again`);

/** Reads the file that `cdk deploy --outputs-file` or `npm start` wrote, and prepares the client. */
async function open(outputsFile: string): Promise<MailTable> {
  const outputsSchema = z.object({ MailTableName: z.string(), DynamoDbEndpoint: z.string().optional() });
  const text = await readFile(outputsFile, 'utf8').catch((cause) => {
    throw new Error(
      `Cannot read ${outputsFile}. \`npm start\` writes .local/outputs.json; \`npx cdk deploy --outputs-file <file>\` writes the outputs of a deployed stack`,
      { cause },
    );
  });
  const [outputs] = Object.values(z.record(z.string(), outputsSchema).parse(JSON.parse(text)));
  if (!outputs) throw new Error(`Cannot use ${outputsFile}: it holds no stack`);
  // In AWS the SDK finds region and credentials itself.
  const local = outputs.DynamoDbEndpoint !== undefined && {
    endpoint: outputs.DynamoDbEndpoint,
    region: process.env['AWS_REGION'] ?? 'ap-northeast-1',
    credentials: { accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? 'local', secretAccessKey: 'local' },
  };
  return { client: DynamoDBDocumentClient.from(new DynamoDBClient(local || {})), name: outputs.MailTableName };
}
