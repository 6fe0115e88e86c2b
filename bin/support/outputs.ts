import { readFile } from 'node:fs/promises';
import * as z from 'zod';

/** The outputs of a deployed stack, and those that only local mode has. */
const stackOutputsSchema = z.object({
  MailTableName: z.string(),
  SentLogTableName: z.string(),
  BounceTableName: z.string(),
  SendGridWebhookUrl: z.string(),
  CustomersMailCloudWebhookUrl: z.string(),
  WebhookSecretName: z.string(),
  SenderSecretName: z.string(),
  ConsoleUrl: z.string().optional(),
  DynamoDbEndpoint: z.string().optional(),
  SendGridApiUrl: z.string().optional(),
  SmtpUrl: z.string().optional(),
});
export type StackOutputs = z.infer<typeof stackOutputsSchema>;

/**
 * Reads the file that `cdk deploy --outputs-file` and local mode write: one stack's outputs, by the stack's name.
 *
 * @throws Error that says which command writes the file
 */
export async function readOutputs(file: string): Promise<StackOutputs> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new Error(
      `Cannot read ${file}: it is not there. Run \`npm start\` in another terminal and wait until it is ready, or name the file that \`cdk deploy --outputs-file\` wrote with --outputs`,
      { cause },
    );
  }
  const stacks = z.record(z.string(), stackOutputsSchema).safeParse(parseJson(text));
  const [outputs] = Object.values(stacks.data ?? {});
  if (!outputs) throw new Error(`Cannot use ${file}: it does not hold the outputs of a Todoke stack`);
  return outputs;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
