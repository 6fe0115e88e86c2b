/** Checks: the values of the two secrets, and whether the providers accept them. */
import { parsePublicKey } from '../../../lambda/providers/sendgrid/webhook.ts';
import type { SenderSecret } from '../../../lambda/sending/sender-secret.ts';
import type { WebhookSecret } from '../../../lambda/webhooks/webhook-secret.ts';
import { counted } from '../../../local/counted.ts';
import { messageOf } from '../../../local/files.ts';
import type { StackOutputs } from '../outputs.ts';
import { moreThanSending, SendGridApi } from '../sendgrid-api.ts';
import { MalformedSecret, senderSecretOf, webhookSecretOf } from '../stack-secrets.ts';
import type { DoctorContext } from './context.ts';
import { smtpVerdict } from './smtp.ts';
import { type Check, fix, NOT_RECEIVED, ok, skipped, type Verdict } from './verdict.ts';

const SETUP = 'run `npm run setup`';
const SETUP_REPLACE = 'run `npm run setup -- --replace`';

/** One check of their shape, then one per provider for sending and for events: whether the values are set, and accepted. */
export function secretChecks({ outputs }: DoctorContext): Check[] {
  const webhook = webhookSecretOf(outputs).read();
  const sender = senderSecretOf(outputs).read();
  // Prevents an unhandled rejection. Each check that needs a secret reports the error.
  for (const secret of [webhook, sender]) secret.catch(() => undefined);
  return [
    {
      name: 'secrets',
      look: async () => {
        const reads = await Promise.allSettled([webhook, sender]);
        const errors = reads.flatMap((read) => (read.status === 'rejected' ? [read.reason] : []));
        const malformed = errors.filter((error) => error instanceof MalformedSecret);
        if (malformed.length > 0) return fix(malformed.map(messageOf).join('; '));
        if (errors.length > 0) throw errors[0];
        return ok('both have their documented shape');
      },
    },
    { name: 'SendGrid, sending', look: async () => sendGridSending((await sender).value, outputs) },
    {
      name: 'SendGrid, events',
      look: async () =>
        outputs.SendGridWebhookUrl === undefined
          ? skipped(NOT_RECEIVED)
          : sendGridEvents((await webhook).value, (await sender).value.sendgridApiKey !== ''),
    },
    { name: 'Customers Mail Cloud, sending', look: async () => smtp((await sender).value, outputs) },
    {
      name: 'Customers Mail Cloud, events',
      look: async () =>
        outputs.CustomersMailCloudWebhookUrl === undefined
          ? skipped(NOT_RECEIVED)
          : customersMailCloudEvents((await webhook).value, (await sender).value.customersMailCloudSmtp.host !== ''),
    },
  ];
}

async function sendGridSending({ sendgridApiKey: key }: SenderSecret, outputs: StackOutputs): Promise<Verdict> {
  if (key === '') return skipped('not set up; applications may still send by themselves');
  if (!/^SG\.[\w-]+\.[\w-]+$/.test(key)) return fix(`the API key does not look like one (SG.….…): ${SETUP_REPLACE}`);
  const scopes = await new SendGridApi(outputs, key).scopes().catch((error: unknown) => messageOf(error));
  if (typeof scopes === 'string') {
    return fix(
      `SendGrid does not accept the API key: ${scopes}; ${SETUP_REPLACE} with another key. An account in the EU needs the setting sendgridRegion eu`,
    );
  }
  if (!scopes.includes('mail.send')) return fix(`the API key may not send mail (mail.send): ${SETUP_REPLACE}`);
  const more = moreThanSending(scopes);
  return ok(more.length === 0 ? 'the API key may send mail' : 'the API key may do more than send mail');
}

function sendGridEvents({ sendgridPublicKeys: keys }: WebhookSecret, sends: boolean): Verdict {
  if (keys.length === 0) {
    return sends
      ? fix(`mail is sent, but all its events are refused, because no public key is set: ${SETUP}`)
      : skipped('not set up');
  }
  const unusable = keys.filter((key) => !parsePublicKey(key)).length;
  if (unusable > 0)
    return fix(
      `${unusable} of ${counted(keys.length, 'public key')} ${unusable === 1 ? 'is not a P-256 key' : 'are not P-256 keys'} in the form that SendGrid shows: ${SETUP}`,
    );
  return ok(`${counted(keys.length, 'public key')} set`);
}

async function smtp({ customersMailCloudSmtp: account }: SenderSecret, outputs: StackOutputs): Promise<Verdict> {
  const { host, port, user, password } = account;
  if (host === '' && user === '' && password === '') {
    return skipped('not set up; applications may still send by themselves');
  }
  const missing = Object.entries({ host, user, password }).flatMap(([name, value]) => (value === '' ? [name] : []));
  if (missing.length > 0) return fix(`the SMTP account lacks ${missing.join(', ')}: ${SETUP}`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return fix(`the SMTP port is ${port}: ${SETUP_REPLACE}`);
  return smtpVerdict(account, outputs);
}

function customersMailCloudEvents({ customersMailCloud }: WebhookSecret, sends: boolean): Verdict {
  const { apiKeys, basic, bearerTokens } = customersMailCloud;
  const count = apiKeys.length + basic.length + bearerTokens.length;
  if (count === 0) {
    return sends
      ? fix(`mail is sent, but all its events are refused, because no credential is set: ${SETUP}`)
      : skipped('not set up');
  }
  const weak = [...apiKeys, ...bearerTokens, ...basic.map(({ password }) => password)].filter(
    ({ length }) => length < 16,
  );
  if (weak.length > 0) {
    return fix(
      `${counted(weak.length, 'credential')} of fewer than 16 characters. Replace an api_key with \`npm run setup -- --rotate customers-mail-cloud\`, and later --retire customers-mail-cloud. Change a Basic password or a Bearer token in the secret`,
    );
  }
  return ok(`${counted(count, 'credential')} set`);
}
