/** Sets Customers Mail Cloud up: its api_key, and its SMTP account. */
import { randomBytes } from 'node:crypto';
import { counted } from '../../../local/counted.ts';
import { SMTP_PASSWORD } from '../answers.ts';
import { done, type Setup, say, sayKept, sayNotReceived, state, steps, title } from './step.ts';

/** Makes the api_key that its posts must carry, and says where to enter it. */
export async function setUpCustomersMailCloudEvents(setup: Setup): Promise<void> {
  title('Customers Mail Cloud, events');
  if (setup.outputs.CustomersMailCloudWebhookUrl === undefined) return sayNotReceived();
  const { apiKeys, basic, bearerTokens } = (await setup.webhookSecret.read()).value.customersMailCloud;
  if (apiKeys.length > 0) {
    say(
      `api_key: set, and kept (${counted(apiKeys.length, 'key')} accepted; --rotate customers-mail-cloud makes a second one)`,
    );
    sayWebhook(setup, 'the key that is set. It was shown when it was made, and is in the secret');
  } else if (basic.length + bearerTokens.length > 0) {
    say('api_key: none. A Basic user or Bearer token is set, and kept');
    sayWebhook(setup, 'leave empty, and choose the authentication that is set');
  } else {
    await addApiKey(setup, []);
  }
}

/** Adds a key to the one that is in use: both are accepted. */
export async function rotateApiKey(setup: Setup): Promise<void> {
  title('Customers Mail Cloud, another api_key');
  if (setup.outputs.CustomersMailCloudWebhookUrl === undefined) return sayNotReceived();
  const { apiKeys } = (await setup.webhookSecret.read()).value.customersMailCloud;
  if (apiKeys.length > 1) {
    throw new Error(
      'Cannot add an api_key: two are accepted already. First retire the old one with --retire customers-mail-cloud',
    );
  }
  await addApiKey(setup, apiKeys);
  if (apiKeys.length > 0)
    say('After you have entered the new key there, retire the old one with --retire customers-mail-cloud.');
}

/** Keeps only the key that was added last. */
export async function retireApiKeys({ webhookSecret }: Setup): Promise<void> {
  title('Customers Mail Cloud, old api_keys');
  const { apiKeys } = (await webhookSecret.read()).value.customersMailCloud;
  await webhookSecret.change({ customersMailCloud: { apiKeys: apiKeys.slice(-1) } });
  done(`${counted(Math.max(0, apiKeys.length - 1), 'api_key')} retired, ${Math.min(1, apiKeys.length)} accepted`);
}

async function addApiKey(setup: Setup, apiKeys: readonly string[]): Promise<void> {
  const key = randomBytes(32).toString('hex');
  await setup.webhookSecret.change({ customersMailCloud: { apiKeys: [...apiKeys, key] } });
  done('api_key: made and stored, and in use within a minute');
  sayWebhook(setup, `${key}   (shown only this once)`);
}

function sayWebhook({ outputs }: Setup, apiKey: string): void {
  say('In the console of Customers Mail Cloud: MENU → API設定 → Webhook → イベント → 設定. Enter there:');
  steps([
    `エンドポイントURL: ${outputs.CustomersMailCloudWebhookUrl}`,
    `api_key: ${apiKey}`,
    'Events: deliveries and bounces, and blocks if your plan has it',
    'バージョン: 2',
    `タイムゾーン: ${outputs.CustomersMailCloudTimeZone ?? 'that of the setting customersMailCloudTimeZone'}`,
    'JSON形式を使用する: either',
  ]);
}

/** Answers that are given by flags. */
export interface SmtpFlags {
  readonly host: string;
  readonly port: number | undefined;
  readonly user: string;
}

/** Stores the SMTP account, if all of its parts are given. */
export async function setUpCustomersMailCloudSending(setup: Setup, flags: SmtpFlags): Promise<void> {
  const { answers, senderSecret, replace } = setup;
  title('Customers Mail Cloud, sending');
  const { customersMailCloudSmtp: current } = (await senderSecret.read()).value;
  const isSet = current.host !== '' && current.user !== '' && current.password !== '';
  if (isSet && !replace) {
    const given = { ...flags, password: answers.given(SMTP_PASSWORD) };
    sayKept(
      'SMTP account',
      (['host', 'port', 'user', 'password'] as const).some((name) => given[name] && given[name] !== current[name]),
    );
    return;
  }
  say(`SMTP account: ${state(isSet)}`);
  const host = await answers.open(flags.host, 'Host (leave empty to enter the account later)');
  const user = host === '' ? flags.user : await answers.open(flags.user, 'User');
  const password =
    host === '' ? answers.given(SMTP_PASSWORD) : await answers.secret(SMTP_PASSWORD, 'Password (not shown)');
  const account = { '--smtp-host': host, '--smtp-user': user, [SMTP_PASSWORD]: password };
  const missing = Object.entries(account).flatMap(([name, value]) => (value === '' ? [name] : []));
  if (missing.length === 3) {
    say(
      `The console of Customers Mail Cloud shows the account. Run this command again with --smtp-host, --smtp-user and ${SMTP_PASSWORD}, or at a terminal.`,
    );
    return;
  }
  if (missing.length > 0) throw new Error(`Cannot store the SMTP account: ${missing.join(' and ')} not given`);
  await senderSecret.change({
    customersMailCloudSmtp: { host, port: flags.port ?? current.port, user, password },
  });
  done('SMTP account: stored, and in use within a minute. The server must offer STARTTLS');
}
