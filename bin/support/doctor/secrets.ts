/** Checks: what the two secrets hold. */

import { parsePublicKey } from '../../../lambda/providers/sendgrid/webhook.ts';
import type { SenderSecret } from '../../../lambda/sending/sender-secret.ts';
import type { WebhookSecret } from '../../../lambda/webhooks/webhook-secret.ts';
import { counted } from '../../../local/counted.ts';
import { senderSecretOf, webhookSecretOf } from '../secrets.ts';
import type { Patient } from './patient.ts';
import { type Check, mend, NOT_RECEIVED, ok, skipped, type Verdict } from './verdict.ts';

const SETUP = 'run `npm run setup`';
const SETUP_REPLACE = 'run `npm run setup -- --replace`';

/** A line for each provider and way: whether the secrets are filled in, and well-formed. */
export function secretChecks({ outputs }: Patient): Check[] {
  const webhook = webhookSecretOf(outputs).read();
  const sender = senderSecretOf(outputs).read();
  // Each check that looks says what is wrong.
  for (const secret of [webhook, sender]) secret.catch(() => undefined);
  return [
    { name: 'SendGrid, sending', look: async () => sendGridSending((await sender).value) },
    {
      name: 'SendGrid, events',
      look: async () =>
        outputs.SendGridWebhookUrl === undefined
          ? skipped(NOT_RECEIVED)
          : sendGridEvents((await webhook).value, (await sender).value.sendgridApiKey !== ''),
    },
    { name: 'Customers Mail Cloud, sending', look: async () => smtp((await sender).value) },
    {
      name: 'Customers Mail Cloud, events',
      look: async () =>
        outputs.CustomersMailCloudWebhookUrl === undefined
          ? skipped(NOT_RECEIVED)
          : customersMailCloudEvents((await webhook).value, (await sender).value.customersMailCloudSmtp.host !== ''),
    },
  ];
}

function sendGridSending({ sendgridApiKey: key }: SenderSecret): Verdict {
  if (key === '') return skipped('not set up; applications may still send by themselves');
  if (!/^SG\.[\w-]+\.[\w-]+$/.test(key)) return mend(`the API key does not look like one (SG.….…): ${SETUP_REPLACE}`);
  return ok('the API key is set');
}

function sendGridEvents({ sendgridPublicKeys: keys }: WebhookSecret, sends: boolean): Verdict {
  if (keys.length === 0) {
    return sends
      ? mend(`mail is sent, and no event of it accepted: no public key is set, ${SETUP}`)
      : skipped('not set up');
  }
  const unusable = keys.filter((key) => !parsePublicKey(key)).length;
  if (unusable > 0)
    return mend(
      `${unusable} of ${counted(keys.length, 'public key')} ${unusable === 1 ? 'is no P-256 key' : 'are no P-256 keys'} as SendGrid shows it: ${SETUP}`,
    );
  return ok(`${counted(keys.length, 'public key')} set`);
}

function smtp({ customersMailCloudSmtp: { host, port, user, password } }: SenderSecret): Verdict {
  if (host === '' && user === '' && password === '') {
    return skipped('not set up; applications may still send by themselves');
  }
  const missing = Object.entries({ host, user, password }).flatMap(([name, value]) => (value === '' ? [name] : []));
  if (missing.length > 0) return mend(`the SMTP account lacks ${missing.join(', ')}: ${SETUP}`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return mend(`the SMTP port is ${port}: ${SETUP_REPLACE}`);
  return ok('the SMTP account is set');
}

function customersMailCloudEvents({ customersMailCloud }: WebhookSecret, sends: boolean): Verdict {
  const { apiKeys, basic, bearerTokens } = customersMailCloud;
  const count = apiKeys.length + basic.length + bearerTokens.length;
  if (count === 0) {
    return sends
      ? mend(`mail is sent, and no event of it accepted: no api_key is set, ${SETUP}`)
      : skipped('not set up');
  }
  const weak = [...apiKeys, ...bearerTokens, ...basic.map(({ password }) => password)].filter(
    ({ length }) => length < 16,
  );
  if (weak.length > 0) {
    return mend(
      `${counted(weak.length, 'credential')} of fewer than 16 characters: of an api_key \`npm run setup -- --rotate customers-mail-cloud\`, and later --retire; Basic and Bearer are changed in the secret`,
    );
  }
  return ok(`${counted(count, 'credential')} set`);
}
