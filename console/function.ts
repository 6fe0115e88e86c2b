/**
 * The function console: serves the page and its calls to the people whom the settings admit. Triggered by an HTTP API,
 * whose JWT authorizer verifies the tokens of the calls.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { cachedSecret } from '../lambda/aws/cached-secret.ts';
import { documentClient } from '../lambda/aws/dynamodb.ts';
import { environmentVariable } from '../lambda/aws/environment.ts';
import { teamConsole } from './server/function.ts';
import { cachedProvider } from './server/provider.ts';

const page = z.object({
  html: z.string(),
  files: z.record(z.string(), z.object({ type: z.string(), gzip: z.string() })),
});
const issuer = environmentVariable('CONSOLE_ISSUER');
const clientId = environmentVariable('CONSOLE_CLIENT_ID');
const team = z.object({ readers: z.array(z.string()), operators: z.array(z.string()) });
const accessLogSecret = cachedSecret(
  environmentVariable('ACCESS_LOG_SECRET'),
  z.object({ key: z.string().check(z.minLength(32)) }),
);

export const handler = teamConsole({
  tables: {
    client: documentClient(),
    noNewsHours: Number(environmentVariable('NO_NEWS_HOURS')),
    mail: environmentVariable('MAIL_TABLE'),
    sentLog: environmentVariable('SENT_LOG_TABLE'),
    bounce: environmentVariable('BOUNCE_TABLE'),
  },
  team: team.parse(JSON.parse(environmentVariable('CONSOLE_TEAM'))),
  issuer,
  clientId,
  provider: cachedProvider(issuer, clientId),
  ...page.parse(JSON.parse(readFileSync(join(environmentVariable('LAMBDA_TASK_ROOT'), 'page.json'), 'utf8'))),
  accessLogKey: async () => (await accessLogSecret()).key,
});
