/** Hands mails over to Customers Mail Cloud by SMTP with STARTTLS (RFC 3207) and SMTP AUTH (RFC 4954). */
import { createTransport } from 'nodemailer';
import * as z from 'zod/mini';
import type { Address } from '../../mail/address.ts';
import { HandoverError, type Sender } from '../sender.ts';

/** The account at Customers Mail Cloud; an empty host means that there is none. */
export interface SmtpAccount {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface CustomersMailCloudSenderOptions {
  readonly smtp: SmtpAccount;
  /** How long a handover may take in all, however slowly the server answers each command. */
  readonly limitMs?: number;
}

/** Less than what `RESERVE_MS` of send-mail leaves for a handover with its log row. */
const LIMIT_MS = 25_000;

/** The custom header that Customers Mail Cloud gives back as `apiData` with every event. */
const API_DATA_HEADER = 'X-Api-Data';

/** What nodemailer's errors carry: its own code, and the server's reply where there was one. */
const smtpErrorSchema = z.object({
  code: z.optional(z.string()),
  response: z.optional(z.string()),
  responseCode: z.optional(z.number()),
  message: z.string(),
});
const rejectedSchema = z.object({ recipient: z.optional(z.string()), response: z.optional(z.string()) });

/** A server whose encryption or identity cannot be relied on. Of a certificate that does not verify, only words remain. */
function isUntrusted(code: string, replyCode: number, message: string): boolean {
  if (code === 'ETLS' || code === 'EREQUIRETLS') return replyCode === 0 || replyCode >= 500;
  return code === 'ESOCKET' && /certificate/i.test(message);
}

const UNAUTHORIZED = new Set(['EAUTH', 'ENOAUTH']);
/** EABORT is our own limit. */
const NETWORK = new Set(['ECONNECTION', 'ETIMEDOUT', 'ESOCKET', 'EDNS', 'EPROTOCOL', 'EMAXLIMIT', 'EABORT']);

/** RFC 5321, 4.2.3: "mailbox unavailable"; all other 4yz replies are about the server. */
const MAILBOX_UNAVAILABLE = 450;

/** RFC 5321, 4.2.1: 4yz is transient; 503 blames the order of commands, not the mail. Without a reply the network decides. */
function isTemporary(code: string, replyCode: number): boolean {
  return replyCode === 0 ? NETWORK.has(code) : replyCode < 500 || replyCode === 503;
}

/** Each takes one mail at a time. */
const CONNECTIONS = 10;

/** A sender by SMTP. Its connections stay open between mails, until it is closed. */
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
    async send(mail, messageId) {
      if (smtp.host === '') {
        throw new HandoverError(
          'unauthorized',
          `Cannot send: put the SMTP account into customersMailCloudSmtp of the sender secret`,
        );
      }
      try {
        const info = await transport.sendMail({
          // Closes the connection. The mail may have been taken all the same, as where a connection breaks.
          signal: AbortSignal.timeout(limitMs),
          messageId,
          // A list, not a map: nodemailer takes a map with the names `key` and `value` for one header.
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
        return { messageId, refused: refusedRecipients(info.rejectedErrors) };
      } catch (error) {
        throw handoverError(error);
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

function refusedRecipients(errors: unknown) {
  const parsed = z.array(rejectedSchema).safeParse(errors ?? []);
  return (parsed.data ?? []).map(({ recipient, response }) => ({ recipient: recipient ?? '', reply: response ?? '' }));
}

function handoverError(error: unknown): HandoverError {
  const parsed = smtpErrorSchema.safeParse(error);
  const { code = '', response, responseCode = 0, message } = parsed.success ? parsed.data : { message: String(error) };
  const words = code === 'EABORT' ? 'it took too long' : (response ?? message);
  if (isUntrusted(code, responseCode, message)) {
    return new HandoverError(
      'unauthorized',
      `The SMTP server did not prove itself by TLS (${words}): check host and port in customersMailCloudSmtp of the sender secret`,
      { cause: error },
    );
  }
  if (isTemporary(code, responseCode)) {
    return new HandoverError('temporary', `Customers Mail Cloud could not take the mail now (${words})`, {
      cause: error,
      ofMailboxes: responseCode === MAILBOX_UNAVAILABLE,
    });
  }
  if (UNAUTHORIZED.has(code)) {
    return new HandoverError(
      'unauthorized',
      `Customers Mail Cloud refused the SMTP account (${words}): check customersMailCloudSmtp of the sender secret`,
      { cause: error },
    );
  }
  return new HandoverError('refused', `Customers Mail Cloud refused the mail (${words})`, { cause: error });
}
