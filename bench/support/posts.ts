/** The posts that are measured, made of the shapes that both providers document, and signed as SendGrid signs. */
import { generateKeyPairSync } from 'node:crypto';
import { signatureHeaders } from '../../local/simulators/sendgrid/webhook.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SIGNED_AT_MS = 1_790_000_000_000;

/** As SendGrid shows it: base64 SPKI DER. */
export const SENDGRID_PUBLIC_KEY = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
export const CUSTOMERS_MAIL_CLOUD_KEY = 'key-of-the-bench';

/** What the webhook secret holds, so that every post here is accepted. */
export const WEBHOOK_SECRET = {
  sendgridPublicKeys: [SENDGRID_PUBLIC_KEY],
  customersMailCloud: { apiKeys: [CUSTOMERS_MAIL_CLOUD_KEY], basic: [], bearerTokens: [] },
};

/** The post that the figures are about: 768 KB. */
export const LARGE_POST_EVENTS = 1_700;

const REPLIES = [
  ['5.1.1', '550 5.1.1 The email account that you tried to reach does not exist. Please try another address.'],
  ['5.2.2', "552 5.2.2 The recipient's inbox is out of storage space. Please direct them to clear it."],
  ['5.7.1', '550 5.7.1 Our system has detected that this message is likely unsolicited mail, and blocked it.'],
  ['5.1.2', '550 5.1.2 Recipient address rejected: the domain of the recipient was not found at this server.'],
] as const;

interface BounceOptions {
  /** Tells the messages of one post from those of every other. */
  readonly tag: string;
  readonly count: number;
  /** How many mails the events are about: by default one each. */
  readonly mails?: number;
}

/** The message id under which the n-th mail of a post is logged. */
export const messageIdOf = (tag: string, mail: number) => `${tag}${String(mail).padStart(6, '0')}XlNHStOGhQ4`;

/** Bounces of SendGrid's, of about 460 bytes each. */
export function bounces({ tag, count, mails = count }: BounceOptions): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, n) => {
    const [status, reason] = REPLIES[n % REPLIES.length] ?? REPLIES[0];
    return {
      bounce_classification: 'Invalid Address',
      email: `recipient-${n}@example.jp`,
      event: 'bounce',
      reason,
      sg_event_id: `Ym91bmNlL${tag}${n}LTQwMzA2MTYxL`,
      sg_message_id: `${messageIdOf(tag, n % mails)}.recvd-canary-7d6f5b6f5c-8mzl2-1-650B5E21-2F.0`,
      'smtp-id': `<${messageIdOf(tag, n % mails)}@geopod-ismtpd-1>`,
      status,
      timestamp: 1_790_000_000 + n,
      tls: 1,
      type: n % REPLIES.length === 2 ? 'blocked' : 'bounce',
    };
  });
}

/** Events that nothing is stored of. */
export function opensAndClicks(count: number): Record<string, unknown>[] {
  return bounces({ tag: 'irrelevant', count }).map(({ reason, status, type, ...event }, n) => ({
    ...event,
    event: n % 2 === 0 ? 'open' : 'click',
    useragent: 'Mozilla/5.0',
    ...(n % 2 === 1 && { url: 'https://example.com/' }),
  }));
}

/** Entries of Customers Mail Cloud's deliveries: each mail is queued, and then succeeded. */
export function deliveries(tag: string, count: number): Record<string, string>[] {
  return Array.from({ length: count }, (_, n) => ({
    reason: '',
    sourceIp: '100.100.100.1',
    returnPath: 'info@return.pro.smtps.jp',
    created: `2026-09-21 14:03:${String(n % 60).padStart(2, '0')}`,
    subject: 'ご注文の確認',
    apiData: '',
    messageId: `<${tag}-${n >> 1}@example.com>`,
    from: 'info@example.com',
    to: `recipient-${n >> 1}@example.jp`,
    senderIp: n % 2 === 0 ? '' : '100.100.100.3',
    status: n % 2 === 0 ? 'queued' : 'succeeded',
  }));
}

/** The headers with which SendGrid signs a body. */
export const signed = (body: string) => signatureHeaders(body, privateKey, SIGNED_AT_MS);

/** A post of SendGrid's as API Gateway hands it to the receiver. */
export function sendGridInvocation(events: readonly unknown[]) {
  const body = JSON.stringify(events);
  return {
    httpMethod: 'POST',
    headers: { 'Content-Type': 'application/json;charset=utf-8', ...signed(body) },
    body: Buffer.from(body).toString('base64'),
    isBase64Encoded: true,
  };
}

/** The form that Customers Mail Cloud posts. */
function deliveriesForm(entries: readonly unknown[]): string {
  return new URLSearchParams({
    api_key: CUSTOMERS_MAIL_CLOUD_KEY,
    server_composition: 'pro',
    event_type: 'deliveries',
    event: JSON.stringify({ deliveries: entries }),
  }).toString();
}

/** A post of Customers Mail Cloud's as a function URL hands it to the receiver. */
export function customersMailCloudInvocation(entries: readonly unknown[]) {
  return {
    requestContext: { http: { method: 'POST' } },
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: deliveriesForm(entries),
    isBase64Encoded: false,
  };
}

/** The log row of a mail, as the sender writes it. */
export function logRow(messageId: string, recipients: readonly string[]): Record<string, unknown> {
  return {
    messageId,
    entry: 'mail',
    provider: 'sendgrid',
    mailId: `item-of-${messageId}`,
    from: '{"email":"shop@example.com","name":"さくら商店"}',
    to: JSON.stringify(recipients.map((email) => ({ email, name: '鈴木花子' }))),
    subject: 'ご注文の確認',
    sentAt: '2026-09-21T04:53:20.000Z',
    day: '2026-09-21#3',
  };
}
