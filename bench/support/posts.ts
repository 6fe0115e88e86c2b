/** Makes the posts for the measurements, in the shapes that SendGrid documents, and signed as SendGrid does. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { Provider } from '../../lambda/mail/provider.ts';
import { queueMessages } from '../../lambda/webhooks/event-queue.ts';
import { signatureHeaders } from '../../local/simulators/sendgrid/webhook.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const POSTED_AT_MS = 1_790_000_000_000;

/** As SendGrid shows it: base64 SPKI DER. */
export const SENDGRID_PUBLIC_KEY = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');

export const WEBHOOK_SECRET = {
  sendgridPublicKeys: [SENDGRID_PUBLIC_KEY],
  customersMailCloud: { apiKeys: ['key-of-the-bench'], basic: [], bearerTokens: [] },
};

/** SendGrid posts up to 768 KB. That is about this many bounces. */
export const LARGE_POST_EVENTS = 1_700;

const REPLIES = [
  ['5.1.1', '550 5.1.1 The email account that you tried to reach does not exist. Please try another address.'],
  ['5.2.2', "552 5.2.2 The recipient's inbox is out of storage space. Please direct them to clear it."],
  ['5.7.1', '550 5.7.1 Our system has detected that this message is likely unsolicited mail, and blocked it.'],
  ['5.1.2', '550 5.1.2 Recipient address rejected: the domain of the recipient was not found at this server.'],
] as const;

/** An id that looks random, as real ones do. Repeated texts would compress too well. */
const idOf = (text: string, length: number) => createHash('sha256').update(text).digest('base64url').slice(0, length);

interface BounceOptions {
  /** Makes the message ids of one post different from those of all others. */
  readonly tag: string;
  readonly count: number;
}

/** SendGrid's bounces, of about 460 bytes each, and each of another mail. */
export function bounces({ tag, count }: BounceOptions): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, n) => {
    const [status, reason] = REPLIES[n % REPLIES.length] ?? REPLIES[0];
    const messageId = idOf(`mail ${tag} ${n}`, 22);
    return {
      bounce_classification: 'Invalid Address',
      email: `recipient-${n}@example.jp`,
      event: 'bounce',
      reason,
      sg_event_id: idOf(`event ${tag} ${n}`, 32),
      sg_message_id: `${messageId}.recvd-canary-7d6f5b6f5c-8mzl2-1-650B5E21-2F.0`,
      'smtp-id': `<${messageId}@geopod-ismtpd-1>`,
      status,
      timestamp: POSTED_AT_MS / 1000 + n,
      tls: 1,
      type: n % REPLIES.length === 2 ? 'blocked' : 'bounce',
    };
  });
}

/** SendGrid's post as API Gateway passes it to the receiver. */
export function postInvocation(events: readonly unknown[]) {
  const body = JSON.stringify(events);
  return {
    httpMethod: 'POST',
    headers: { 'Content-Type': 'application/json;charset=utf-8', ...signatureHeaders(body, privateKey, POSTED_AT_MS) },
    body: Buffer.from(body).toString('base64'),
    isBase64Encoded: true,
  };
}

/** Posts as EventQueue passes them to the recorder: one message each. */
export function queueInvocation(provider: Provider, ...posts: readonly (readonly unknown[])[]) {
  const bodies = posts.flatMap((events) =>
    queueMessages({ provider, receivedAtMs: POSTED_AT_MS, events: [...events] }),
  );
  return { Records: bodies.map((body, n) => ({ messageId: `message-${n}`, body })) };
}

/** Events in ten posts: an invocation of the recorder takes at most ten messages. */
export function inTenPosts<Event>(events: readonly Event[]): Event[][] {
  const size = Math.ceil(events.length / 10);
  return Array.from({ length: 10 }, (_, n) => events.slice(n * size, (n + 1) * size));
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
