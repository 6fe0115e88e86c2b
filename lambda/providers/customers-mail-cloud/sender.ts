/** Hands mails over to Customers Mail Cloud by SMTP with STARTTLS (RFC 3207) and SMTP AUTH (RFC 4954). */
import { createTransport } from 'nodemailer';
import * as z from 'zod/mini';
import type { Address } from '../../mail/address.ts';
import type { RefusedRecipient } from '../../mail/outgoing-mail.ts';
import { type Handover, type NotSent, notSent, type Sender } from '../sender.ts';

/** The SMTP account at Customers Mail Cloud. An empty host means that it is not set up. */
export interface SmtpAccount {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface CustomersMailCloudSenderOptions {
  readonly smtp: SmtpAccount;
  /** Limit for a whole handover. */
  readonly limitMs?: number;
}

/** Less than `HANDOVER_MS` of send-mail, which also covers the log row. */
const LIMIT_MS = 25_000;

/** The custom header that Customers Mail Cloud returns as `apiData` in every event. */
const API_DATA_HEADER = 'X-Api-Data';

const rejectedSchema = z.object({
  recipient: z._default(z.string(), ''),
  response: z._default(z.string(), ''),
  responseCode: z._default(z.number(), 0),
});
type Rejected = z.infer<typeof rejectedSchema>;

/** The fields of nodemailer's errors: its own code, the SMTP command, and the server's reply if there was one. */
const smtpErrorSchema = z.object({
  code: z._default(z.string(), ''),
  command: z._default(z.string(), ''),
  response: z.optional(z.string()),
  responseCode: z._default(z.number(), 0),
  message: z.string(),
  /** The replies to the recipients, if all were rejected. */
  rejectedErrors: z._default(z.array(rejectedSchema), []),
});

/** Whether TLS failed permanently. Nodemailer has no code for an invalid certificate, so only the message shows it. */
function isUntrusted(code: string, replyCode: number, message: string): boolean {
  if (code === 'ETLS' || code === 'EREQUIRETLS') return replyCode === 0 || replyCode >= 500;
  return code === 'ESOCKET' && /certificate/i.test(message);
}

/** Nodemailer's codes of network errors. EABORT comes from our own limit. */
const NETWORK = new Set(['ECONNECTION', 'ETIMEDOUT', 'ESOCKET', 'EDNS', 'EPROTOCOL', 'EMAXLIMIT', 'EABORT']);

/** RFC 5321, 4.2.3: "mailbox unavailable"; all other 4yz replies are about the server. */
const MAILBOX_UNAVAILABLE = 450;

/** RFC 5321, 4.2.1: 4yz is transient; 503 blames the order of commands, not the mail. */
const isTransient = (replyCode: number) => (replyCode > 0 && replyCode < 500) || replyCode === 503;

/** Whether the sign-in failed or is missing: nodemailer's codes, and the replies of RFC 4954, section 6. */
const isOfSignIn = (code: string, replyCode: number) =>
  code === 'EAUTH' || code === 'ENOAUTH' || [530, 534, 535, 538].includes(replyCode);

/**
 * Whether a reply is about the sender address. RFC 3463 has the codes x.1.7 and x.1.8 for that. By default Postfix
 * refuses a sender address only at RCPT TO (`smtpd_delay_reject`), with 5.7.1 and a text.
 */
const isOfSender = (reply: string) => /^\d{3}[ -][45]\.1\.[78]\b|sender address rejected/i.test(reply);

/** Open connections. Each sends one mail at a time. */
const CONNECTIONS = 10;

/** A sender by SMTP. Its connections stay open between mails until the sender is closed. */
export function customersMailCloudSender({ smtp, limitMs = LIMIT_MS }: CustomersMailCloudSenderOptions): Sender {
  const transport = createTransport({
    host: smtp.host,
    port: smtp.port,
    secure: false,
    // Without this a server that offers no STARTTLS would get the password in clear text.
    requireTLS: true,
    auth: { user: smtp.user, pass: smtp.password },
    pool: true,
    maxConnections: CONNECTIONS,
    connectionTimeout: 5_000,
    greetingTimeout: 5_000,
    socketTimeout: 20_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });

  return {
    choosesMessageId: true,
    handoversAtOneTime: CONNECTIONS,
    async send(mail, messageId): Promise<Handover> {
      if (smtp.host === '') {
        const advice = 'put it into customersMailCloudSmtp';
        return notSent('refused', 'account', `Cannot send: the sender secret has no SMTP account; ${advice}`);
      }
      try {
        const info = await transport.sendMail({
          // Closes the connection. As after a broken connection, the server may have accepted the mail nevertheless.
          signal: AbortSignal.timeout(limitMs),
          messageId,
          // A list, because nodemailer reads a map with the names `key` and `value` as one header.
          headers: Object.entries({ ...mail.headers, [API_DATA_HEADER]: messageId }).map(([key, value]) => ({
            key,
            value,
          })),
          from: mailbox(mail.from),
          to: mail.to.map(mailbox),
          cc: mail.cc.map(mailbox),
          bcc: mail.bcc.map(mailbox),
          replyTo: mail.replyTo.map(mailbox),
          subject: mail.subject,
          ...(mail.content !== '' && { text: mail.content }),
          ...(mail.html !== '' && { html: mail.html }),
        });
        const rejected = z.array(rejectedSchema).safeParse(info.rejectedErrors);
        return { kind: 'sent', messageId, refused: rejected.success ? rejected.data.map(refusedRecipient) : [] };
      } catch (error) {
        return failedHandover(error, mail.from.email);
      }
    },
    close() {
      transport.close();
    },
  };
}

function mailbox({ email, name }: Address) {
  return { address: email, name: name ?? '' };
}

const refusedRecipient = ({ recipient, response }: Rejected): RefusedRecipient => ({ recipient, reply: response });

function failedHandover(error: unknown, from: string): NotSent {
  const parsed = smtpErrorSchema.safeParse(error);
  if (!parsed.success) return notSent('refused', 'message', `The mail could not be sent by SMTP (${String(error)})`);
  const { code, command, responseCode, message, rejectedErrors } = parsed.data;
  const words = code === 'EABORT' ? 'it took too long' : (parsed.data.response ?? message);
  const reply = parsed.data.response ?? words;
  if (isUntrusted(code, responseCode, message)) {
    const advice = 'check host and port in customersMailCloudSmtp of the sender secret';
    return notSent('refused', 'account', `The SMTP server did not prove its identity by TLS (${words}): ${advice}`);
  }
  if (rejectedErrors.length > 0) return allRejected(rejectedErrors, from);
  if (isTransient(responseCode) || (responseCode === 0 && NETWORK.has(code))) {
    if (isOfSender(reply)) return refusedSender('deferred', from, words);
    const ofMailboxes = responseCode === MAILBOX_UNAVAILABLE && command !== 'MAIL FROM';
    const blames = ofMailboxes ? 'mailboxes' : 'provider';
    return notSent('deferred', blames, `Customers Mail Cloud could not take the mail now (${words})`, { reply });
  }
  if (isOfSignIn(code, responseCode)) return refusedAccount(words);
  if ((command === 'MAIL FROM' && !isOfSize(reply)) || isOfSender(reply)) return refusedSender('refused', from, words);
  return notSent('refused', 'message', `Customers Mail Cloud refused the mail (${words})`, { reply });
}

/**
 * Whether a reply is about the size. A server may refuse a message that is too large as early as MAIL FROM (RFC 1870).
 */
const isOfSize = (reply: string) => /^552\b|\b5\.3\.4\b/.test(reply);

/** The result if the server rejected every recipient, each with its own reply to RCPT TO. */
function allRejected(rejected: readonly Rejected[], from: string): NotSent {
  const words = Array.from(new Set(rejected.map(({ response }) => response))).join('; ');
  const transient = rejected.filter(({ responseCode }) => isTransient(responseCode));
  if (rejected.every(({ response }) => isOfSender(response))) {
    return refusedSender(transient.length === 0 ? 'refused' : 'deferred', from, words);
  }
  if (rejected.every(({ responseCode }) => isOfSignIn('', responseCode))) return refusedAccount(words);
  const replies = rejected.map(refusedRecipient);
  if (transient.length === 0) {
    return notSent('refused', 'recipients', `Customers Mail Cloud refused the mail (${words})`, { replies });
  }
  const blames = transient.every(({ responseCode }) => responseCode === MAILBOX_UNAVAILABLE) ? 'mailboxes' : 'provider';
  return notSent('deferred', blames, `Customers Mail Cloud could not take the mail now (${words})`, { replies });
}

function refusedSender(kind: NotSent['kind'], from: string, words: string): NotSent {
  const advice = `change the attribute from, or let the account send as ${from}`;
  return notSent(kind, 'sender', `Customers Mail Cloud refused the sender address (${words}): ${advice}`);
}

function refusedAccount(words: string): NotSent {
  const advice = 'check customersMailCloudSmtp of the sender secret';
  return notSent('refused', 'account', `Customers Mail Cloud refused the SMTP account (${words}): ${advice}`);
}
