/** Check: whether the SMTP account may sign in. */
import { readFile } from 'node:fs/promises';
import { createTransport } from 'nodemailer';
import * as z from 'zod';
import type { SmtpAccount } from '../../../lambda/providers/customers-mail-cloud/sender.ts';
import { messageOf } from '../../../local/files.ts';
import { isLocal } from '../aws.ts';
import type { StackOutputs } from '../outputs.ts';
import { fix, ok, skipped, type Verdict } from './verdict.ts';

const TIMEOUT_MS = 10_000;

const errorSchema = z.object({ code: z.string().optional(), response: z.string().optional() });

/** Signs in as the sender does (EHLO, STARTTLS, AUTH), sends nothing, and quits. */
export async function smtpVerdict(account: SmtpAccount, outputs: StackOutputs): Promise<Verdict> {
  const server = `${account.host}:${account.port}`;
  const local = isLocal(outputs);
  // In local mode only its own SMTP server is asked.
  const isElsewhere =
    !['localhost', '127.0.0.1'].includes(account.host) || !outputs.SmtpUrl?.endsWith(`:${account.port}`);
  if (local && isElsewhere) {
    return skipped(`${server} is not local mode's server, so it is not contacted`);
  }
  const ca = local && outputs.SmtpCaFile !== undefined ? await readFile(outputs.SmtpCaFile, 'utf8') : undefined;
  const transport = createTransport({
    host: account.host,
    port: account.port,
    secure: false,
    requireTLS: true,
    auth: { user: account.user, pass: account.password },
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    ...(ca !== undefined && { tls: { ca } }),
  });
  try {
    await transport.verify();
    return ok(`signed in at ${server}`);
  } catch (error) {
    const { code, response } = errorSchema.safeParse(error).data ?? {};
    const words = response ?? messageOf(error);
    if (code === 'EAUTH') {
      return fix(`${server} refuses the SMTP user or its password (${words}): run \`npm run setup -- --replace\``);
    }
    return fix(
      `cannot sign in at ${server} (${words}): check host and port, and that the server offers STARTTLS with a certificate that verifies; \`npm run setup -- --replace\` changes them`,
    );
  } finally {
    transport.close();
  }
}
