/**
 * Checks whether an address is suppressed. send-mail does this itself. An application that sends its own mail checks
 * each recipient of a message, cc and bcc included, and leaves out those that are suppressed.
 *
 * While `npm start` is running:
 *
 *     npx tsx examples/may-i-send.ts bounce@example.com
 *
 * On a deployed stack, in a role to which ReadBouncesPolicyArn is attached:
 *
 *     npx tsx examples/may-i-send.ts --outputs cdk-outputs.json somebody@example.com
 *
 * Copy everything above the dashed line. The rest is for the command line.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, paginateQuery } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';

/** The Bounce table. Its name is the output BounceTableName of the stack. */
interface BounceTable {
  readonly client: DynamoDBDocumentClient;
  readonly name: string;
}

/** The attributes that decide whether mail may be sent. */
const rowSchema = z.object({
  occurredAt: z.string(),
  outcome: z.string().optional(),
  bounceClass: z.string().optional(),
  type: z.string().optional(),
});
type Row = z.infer<typeof rowSchema>;

/**
 * Whether mail may be sent to an address. The newest row that suppresses or allows it decides. If this throws, do not
 * send: try again later.
 *
 * @param address its domain must be in ASCII (`xn--…` if it is internationalized)
 */
async function mayISend(address: string, table: BounceTable): Promise<boolean> {
  let deciding: Row | undefined;
  const newestFirst = {
    TableName: table.name,
    IndexName: 'byRecipient',
    KeyConditionExpression: 'toEmail = :toEmail',
    ExpressionAttributeValues: { ':toEmail': address.toLowerCase() },
    ScanIndexForward: false,
  };
  for await (const { Items } of paginateQuery({ client: table.client }, newestFirst)) {
    for (const row of z.array(rowSchema).parse(Items)) {
      if (deciding !== undefined && row.occurredAt !== deciding.occurredAt) return allows(deciding) ?? true;
      // If rows have the same time, a person's decision counts.
      if (allows(row) !== undefined && (deciding === undefined || isDecision(row))) deciding = row;
    }
  }
  return deciding === undefined || (allows(deciding) ?? true);
}

/** Whether a row allows mail to its address; undefined if it decides nothing. */
function allows({ outcome, bounceClass, type }: Row): boolean | undefined {
  if (outcome === 'allowed') return true;
  if (outcome === 'suppressed' || outcome === 'complained') return false;
  const isHard = bounceClass === 'hard' && type !== 'suppressed';
  return isHard && ['bounced', 'dropped', 'failed'].includes(outcome ?? '') ? false : undefined;
}

const isDecision = ({ outcome }: Row) => outcome === 'allowed' || outcome === 'suppressed';

// ---------------------------------------------------------------------------------------------------------------------

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { outputs: { type: 'string', default: '.local/outputs.json' } },
});
if (positionals.length === 0) throw new Error('Cannot ask: name one or more addresses');
const table = await open(values.outputs);
for (const address of positionals) {
  const answer = await mayISend(address, table);
  console.log(`${address}: ${answer ? 'send' : 'do not send'}`);
}

/** Reads the file that `cdk deploy --outputs-file` or `npm start` wrote, and prepares the client. */
async function open(outputsFile: string): Promise<BounceTable> {
  const outputsSchema = z.object({ BounceTableName: z.string(), DynamoDbEndpoint: z.string().optional() });
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
  return { client: DynamoDBDocumentClient.from(new DynamoDBClient(local || {})), name: outputs.BounceTableName };
}
