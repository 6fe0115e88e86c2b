/** Message ids: reads them in the forms in which providers send them, and makes one for a mail that is sent by SMTP. */
import { createHash } from 'node:crypto';
import { domainToASCII } from 'node:url';

/** SendGrid's custom argument that names the Mail item; it comes back with every event but asynchronous bounces. */
export const MAIL_ID_ARGUMENT = 'todoke_mail_id';

/**
 * The part of SendGrid's `sg_message_id` that is the same for every recipient of a mail, and the same as the
 * `X-Message-Id` in the answer of its Mail Send API: all up to `.filter` or `.recvd`, else up to the first dot.
 *
 * `LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-….0` → `LRzXl_NHStOGhQ4kofSm_A`,
 * `14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0` → `14c5d75ce93.dfd.64b469`.
 *
 * Both the sender and the recorder use it as the join key.
 *
 * @returns `""` if there is no such part. A mail that is dropped before it gets an id has
 * `filter0093p1las1.9128.5717FB8127.0`
 */
export function sendGridMessageId(sgMessageId: string): string {
  if (/^(?:filter|recvd)\d\w*\./.test(sgMessageId)) return '';
  const suffixAt = sgMessageId.search(/\.(?:filter|recvd)/);
  const end = suffixAt === -1 ? sgMessageId.indexOf('.') : suffixAt;
  return end === -1 ? sgMessageId : sgMessageId.slice(0, end);
}

/**
 * The local part of `smtp-id`, which is the `X-Message-Id` of a mail that SendGrid's API took:
 * `<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>` → `LRzXl_NHStOGhQ4kofSm_A` (samples of sendgrid-nodejs,
 * docs/examples/webhooks-docker). Of a mail that SendGrid took by SMTP it is the sender's own Message-ID.
 *
 * @returns `""` if there is none
 */
export function smtpIdLocalPart(smtpId: string): string {
  return /^<?([^<>@\s]+)@/.exec(smtpId)?.[1] ?? '';
}

/**
 * A Message-ID with its angle brackets (RFC 5322, 3.6.4). Customers Mail Cloud escapes them as `\u003C` and `\u003E`,
 * and in form posts sometimes once more, so that the escapes are still there after the JSON was parsed.
 */
export function customersMailCloudMessageId(messageId: string): string {
  // Without the lookbehind a long run of backslashes would take quadratic time.
  return messageId
    .replace(/(?<!\\)\\+u003c/gi, '<')
    .replace(/(?<!\\)\\+u003e/gi, '>')
    .trim();
}

/**
 * The ids under which a mail of Customers Mail Cloud may be logged: its Message-ID, and what its sender put into the
 * header X-Api-Data.
 */
export function customersMailCloudMessageIds(messageId: string, apiData: string): string[] {
  return [...new Set([messageId, apiData].map(customersMailCloudMessageId))].filter((id) => id !== '');
}

/**
 * The Message-ID for a mail whose sender chooses it (RFC 5322, 3.6.4). The same seed gives the same Message-ID. So a
 * mail whose sending was interrupted goes out under the Message-ID with which it was logged.
 *
 * @param seed unique for one sending of a mail
 * @param domain of the sender's address
 */
export function messageIdFor(seed: string, domain: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
  // Headers are ASCII, so an internationalized domain is written in its A-label form (RFC 5890).
  return `<${uuid}@${domainToASCII(domain) || 'localhost'}>`;
}
