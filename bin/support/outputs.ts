/** Reads the outputs of a stack from the file that cdk deploy or local mode wrote. */
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import * as z from 'zod';
import { DEFAULT_NO_NEWS_HOURS } from '../../lambda/mail/story.ts';
import { sendGridRegion } from '../../lib/settings.ts';
import { isErrorWithCode, messageOf } from '../../local/files.ts';
import { jsonOrUndefined } from '../../local/json.ts';
import { shellWord } from './terminal.ts';

/** The outputs of a deployed stack, and those that only local mode has. */
const stackOutputsSchema = z.object({
  MailTableName: z.string(),
  SentLogTableName: z.string(),
  BounceTableName: z.string(),
  WebhookSecretName: z.string(),
  SenderSecretName: z.string(),
  /** A stack whose setting `providers` leaves a provider out has no webhook of that provider. */
  SendGridWebhookUrl: z.string().optional(),
  CustomersMailCloudWebhookUrl: z.string().optional(),
  /** A stack that was deployed before these were added has none until the next deployment. */
  CustomersMailCloudTimeZone: z.string().optional(),
  SendGridRegion: sendGridRegion.default('global'),
  NoNewsHours: z.coerce.number().default(DEFAULT_NO_NEWS_HOURS),
  PublishFailures: z.string().optional(),
  EventQueueUrl: z.string().optional(),
  FailureQueueUrl: z.string().optional(),
  ConsoleUrl: z.string().optional(),
  /** Only of a stack with a console for a team. */
  ConsoleIssuer: z.string().optional(),
  DynamoDbEndpoint: z.string().optional(),
  AwsApiEndpoint: z.string().optional(),
  SendGridApiUrl: z.string().optional(),
  SmtpUrl: z.string().optional(),
  /** A file with the certificate of the authority that issued the certificate of local mode's SMTP server. */
  SmtpCaFile: z.string().optional(),
  /** A file with one line for each event that local mode's event bus took. */
  PublishedEventsFile: z.string().optional(),
});
export type StackOutputs = z.infer<typeof stackOutputsSchema>;

/** Local mode answers at once, or it does not run. */
const ANSWER_TIMEOUT_MS = 2_000;
/** Local mode's folder, and the name of the file in it. */
export const DEFAULT_DIR = '.local';
const LOCAL_OUTPUTS = 'outputs.json';

/** The option of every command that works on a stack. */
export const OUTPUTS_OPTION = {
  default: `${DEFAULT_DIR}/${LOCAL_OUTPUTS}`,
  help: 'the file with the outputs of the stack, written by npm start or by cdk deploy --outputs-file',
};

/** A stack by its outputs. */
export interface Stack {
  readonly name: string;
  readonly outputs: StackOutputs;
}

/**
 * Reads the file that `cdk deploy --outputs-file` and local mode write: one stack's outputs, by the stack's name.
 *
 * @throws Error that says which command writes the file, or starts the local mode that does not answer
 */
export async function readStack(file: string): Promise<Stack> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (!isErrorWithCode(cause, 'ENOENT')) throw new Error(`Cannot read ${file}: ${messageOf(cause)}`, { cause });
    throw new Error(`Cannot read ${file}: it does not exist. ${whoWrites(file)}`, { cause });
  }
  const stacks = z.record(z.string(), stackOutputsSchema).safeParse(jsonOrUndefined(text));
  const [stack] = Object.entries(stacks.data ?? {});
  if (!stack) throw new Error(`Cannot use ${file}: it does not contain the outputs of a Todoke stack`);
  const [name, outputs] = stack;
  await assertAnswers(outputs, file);
  return { name, outputs };
}

/** Says which command writes a file that is missing, by its name. */
function whoWrites(file: string): string {
  if (basename(file) === LOCAL_OUTPUTS) {
    return `Run \`${startIn(dirname(file))}\` in another terminal and wait until it is ready. For a deployed stack, use --outputs with the file that \`cdk deploy --outputs-file\` wrote`;
  }
  return `\`npx cdk deploy --outputs-file ${shellWord(file)}\` writes it, also for a stack that is deployed already`;
}

/** @throws Error if the outputs are those of a local mode that does not run, even if its DynamoDB still answers */
async function assertAnswers(outputs: StackOutputs, file: string): Promise<void> {
  // Local mode itself answers at AwsApiEndpoint; DynamoDB may be another program.
  const url = outputs.AwsApiEndpoint ?? outputs.SendGridApiUrl ?? outputs.DynamoDbEndpoint;
  if (url === undefined) return;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    await response.arrayBuffer();
  } catch (cause) {
    const start = basename(file) === LOCAL_OUTPUTS ? startIn(dirname(file)) : 'npm start';
    throw new Error(
      `Cannot use ${file}: the local mode that wrote it does not answer at ${url}. Run \`${start}\` in another terminal and wait until it is ready`,
      { cause },
    );
  }
}

const startIn = (dir: string) =>
  [DEFAULT_DIR, '.'].includes(dir) ? 'npm start' : `npm start -- --dir ${shellWord(dir)}`;

/** The outputs alone. @throws as {@link readStack} does */
export const readOutputs = async (file: string): Promise<StackOutputs> => (await readStack(file)).outputs;

/** @throws ZodError if an output is missing */
export const parseOutputs = (outputs: unknown): StackOutputs => stackOutputsSchema.parse(outputs);
