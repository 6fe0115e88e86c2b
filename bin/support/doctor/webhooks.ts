/** Checks: whether the webhooks refuse forged posts and accept genuine ones. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebhookSecret } from '../../../lambda/webhooks/webhook-secret.ts';
import { signatureHeaders } from '../../../local/simulators/sendgrid/webhook.ts';
import { webhookSecretOf } from '../stack-secrets.ts';
import type { DoctorContext } from './context.ts';
import { type Check, fix, NOT_RECEIVED, ok, skipped, type Verdict } from './verdict.ts';

/** Functions use a changed secret after this time at the latest. */
const SECRET_MAX_AGE_MS = 62_000;
const TIMEOUT_MS = 15_000;

/** Checks the answers to posts without events. Nothing of them is recorded, even if one is accepted. */
export function webhookChecks({ outputs }: DoctorContext): Check[] {
  const secret = webhookSecretOf(outputs).read();
  secret.catch(() => undefined);
  /** Repeats a post that is not answered with `status`, as long as functions may still use the secret's previous value. */
  const postUntil = async (status: number, post: () => Promise<Answered>): Promise<Answered> => {
    const { changedAtMs } = await secret;
    for (;;) {
      const answered = await post();
      if (answered.status === status || Date.now() > changedAtMs + SECRET_MAX_AGE_MS) return answered;
      await sleep(2_000);
    }
  };
  return [
    {
      name: 'a forged SendGrid post',
      look: async () => {
        const url = outputs.SendGridWebhookUrl;
        if (url === undefined) return skipped(NOT_RECEIVED);
        if ((await secret).value.sendgridPublicKeys.length === 0) return skipped('not set up');
        return expect401(await postUntil(401, () => postForged(url)));
      },
    },
    {
      name: 'a Customers Mail Cloud post with a wrong key',
      look: async () => {
        const url = outputs.CustomersMailCloudWebhookUrl;
        if (url === undefined) return skipped(NOT_RECEIVED);
        if (credentialOf((await secret).value) === undefined) return skipped('not set up');
        const wrong = () => ({ fields: { api_key: randomBytes(24).toString('hex') }, headers: {} });
        return expect401(await postUntil(401, () => postEmpty(url, wrong())));
      },
    },
    {
      name: 'a Customers Mail Cloud post with the right key',
      look: async () => {
        const url = outputs.CustomersMailCloudWebhookUrl;
        if (url === undefined) return skipped(NOT_RECEIVED);
        const credential = credentialOf((await secret).value);
        if (credential === undefined) return skipped('not set up');
        const { status, text } = await postUntil(200, () => postEmpty(url, credential));
        if (status === 200) return ok('an empty list was accepted');
        return fix(`answered ${status}: ${text}. Look at the log of ReceiveCustomersMailCloud`);
      },
    },
  ];
}

interface Answered {
  readonly status: number;
  readonly text: string;
}
interface Credential {
  readonly fields: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

function expect401({ status, text }: Answered): Verdict {
  if (status === 401) return ok('was refused');
  if (status === 200)
    return fix('was ACCEPTED: anybody can report bounces. Check that the outputs file is of this stack');
  return fix(`answered ${status} instead of 401: ${text}. Look at the log of the receiver`);
}

function credentialOf({ customersMailCloud }: WebhookSecret): Credential | undefined {
  const { apiKeys, basic, bearerTokens } = customersMailCloud;
  const api_key = apiKeys.findLast(Boolean);
  if (api_key !== undefined) return { fields: { api_key }, headers: {} };
  const [account] = basic;
  if (account !== undefined) {
    const value = Buffer.from(`${account.user}:${account.password}`).toString('base64');
    return { fields: {}, headers: { Authorization: `Basic ${value}` } };
  }
  const token = bearerTokens.find(Boolean);
  return token === undefined ? undefined : { fields: {}, headers: { Authorization: `Bearer ${token}` } };
}

/** Signs as SendGrid does, with a key that was made just now. */
function postForged(url: string): Promise<Answered> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const body = '[]\r\n';
  return post(url, body, {
    'Content-Type': 'application/json;charset=utf-8',
    ...signatureHeaders(body, privateKey, Date.now()),
  });
}

function postEmpty(url: string, { fields, headers }: Credential): Promise<Answered> {
  const body = new URLSearchParams({ ...fields, event_type: 'deliveries', event: '{"deliveries":[]}' });
  return post(url, body.toString(), { 'Content-Type': 'application/x-www-form-urlencoded', ...headers });
}

async function post(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<Answered> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(url, { method: 'POST', headers: { ...headers }, body, signal, redirect: 'manual' });
    return { status: response.status, text: (await response.text()).slice(0, 200) };
  } catch (cause) {
    throw new Error(`Cannot post to ${url}: it does not answer`, { cause });
  }
}
