/** Hands mails over to SendGrid's Mail Send API. Source: SendGrid's documentation, "Mail Send". */
import sendGridClient from '@sendgrid/client';
import sendGridMail from '@sendgrid/mail';
import * as z from 'zod/mini';
import { type Address, quotedIfNeeded } from '../../mail/address.ts';
import { MAIL_ID_ARGUMENT, sendGridMessageId } from '../../mail/message-id.ts';
import type { OutgoingMail } from '../../mail/outgoing-mail.ts';
import { HandoverError, type Sender } from '../sender.ts';

// Both packages export the class beside its singleton, which their types hide. The singletons are for everybody.
const { MailService } = sendGridMail as unknown as { MailService: new () => typeof sendGridMail };
const { Client } = sendGridClient as unknown as { Client: new () => typeof sendGridClient };

const REQUEST_TIMEOUT_MS = 15_000;

/** `ResponseError` of @sendgrid/helpers: `code` is the HTTP status. */
const responseErrorSchema = z.object({
  code: z.number(),
  response: z.object({
    headers: z.optional(z.object({ 'x-ratelimit-reset': z.optional(z.unknown()) })),
    body: z.unknown(),
  }),
});
/** Errors of the network have no `response`, and a `code` such as ECONNREFUSED. */
const networkErrorSchema = z.object({ code: z.string() });
const errorBodySchema = z.object({
  errors: z.array(z.object({ message: z.string(), field: z.optional(z.nullable(z.string())) })),
});

export interface SendGridSenderOptions {
  readonly apiKey: string;
  /** `https://api.sendgrid.com`, or another region's. */
  readonly apiUrl: string;
}

export function sendGridSender(options: SendGridSenderOptions): Sender {
  const service = new MailService();
  const client = new Client();
  // Of an empty key the library would complain each time.
  if (options.apiKey !== '') client.setApiKey(options.apiKey);
  // Only now: setApiKey overwrites it.
  client.setDefaultRequest('baseUrl', options.apiUrl);
  service.setClient(client);
  service.setTimeout(REQUEST_TIMEOUT_MS);

  return {
    choosesMessageId: false,
    handoversAtOneTime: 25,
    async send(mail) {
      if (options.apiKey === '') {
        throw new HandoverError('unauthorized', `Cannot send: put an API key into sendgridApiKey of the sender secret`);
      }
      try {
        const [answer] = await service.send({
          from: emailData(mail.from),
          to: mail.to.map(emailData),
          ...(mail.cc.length > 0 && { cc: mail.cc.map(emailData) }),
          ...(mail.bcc.length > 0 && { bcc: mail.bcc.map(emailData) }),
          ...(mail.replyTo.length > 0 && { replyToList: mail.replyTo.map(emailData) }),
          subject: mail.subject,
          content: contentOf(mail),
          headers: { ...mail.headers },
          customArgs: { [MAIL_ID_ARGUMENT]: mail.id },
        });
        // Whatever it says of the id: the mail is out, and must not go out again.
        const { data: id = '' } = z.string().safeParse(answer.headers['x-message-id']);
        return { messageId: sendGridMessageId(id) || undefined, refused: [] };
      } catch (error) {
        throw handoverError(error);
      }
    },
    close() {},
  };
}

/** The library takes an empty name for a name. */
function emailData({ email, name }: Address) {
  const address = { email: quotedIfNeeded(email) };
  return name === undefined ? address : { ...address, name };
}

/** text/plain comes first, or SendGrid refuses the mail. */
function contentOf({
  content,
  html,
}: OutgoingMail): [{ type: string; value: string }, ...{ type: string; value: string }[]] {
  const plainPart = { type: 'text/plain', value: content };
  const htmlPart = { type: 'text/html', value: html };
  if (content === '') return [htmlPart];
  return html === '' ? [plainPart] : [plainPart, htmlPart];
}

function handoverError(error: unknown): HandoverError {
  const parsed = responseErrorSchema.safeParse(error);
  if (!parsed.success) {
    const words = error instanceof Error ? error.message : String(error);
    return networkErrorSchema.safeParse(error).success
      ? new HandoverError('temporary', `SendGrid could not be reached (${words})`, { cause: error })
      : new HandoverError('refused', `The mail could not be made into a request to SendGrid (${words})`, {
          cause: error,
        });
  }
  const { code, response } = parsed.data;
  const words = providerWords(response.body);
  if (code === 401 || (code === 403 && !isOfSender(response.body))) {
    return new HandoverError(
      'unauthorized',
      `SendGrid refused the API key (${code}${words}): check sendgridApiKey of the sender secret, and that it may send mail`,
      { cause: error },
    );
  }
  if (code === 429 || code >= 500) {
    const reset = Number(response.headers?.['x-ratelimit-reset']);
    const retryAtMs = Number.isFinite(reset) && reset > 0 ? reset * 1000 : undefined;
    return new HandoverError('temporary', `SendGrid could not take the mail now (${code}${words})`, {
      cause: error,
      retryAtMs,
    });
  }
  return new HandoverError('refused', `SendGrid refused the mail (${code}${words})`, { cause: error });
}

/** No verified Sender Identity has the address: that is the mail's fault, and not the key's. */
function isOfSender(body: unknown): boolean {
  return errorBodySchema.safeParse(body).data?.errors.some(({ field }) => field === 'from') ?? false;
}

function providerWords(body: unknown): string {
  const parsed = errorBodySchema.safeParse(body);
  if (!parsed.success) return '';
  return parsed.data.errors.map(({ message, field }) => `: ${field ? `${field}: ` : ''}${message}`).join('');
}
