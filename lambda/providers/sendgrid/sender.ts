/** Hands mails over to SendGrid's Mail Send API. Source: SendGrid's documentation, "Mail Send". */
import sendGridClient from '@sendgrid/client';
import sendGridMail from '@sendgrid/mail';
import * as z from 'zod/mini';
import { type Address, quotedIfNeeded } from '../../mail/address.ts';
import { MAIL_ID_ARGUMENT, sendGridMessageId } from '../../mail/message-id.ts';
import type { OutgoingMail } from '../../mail/outgoing-mail.ts';
import { type Handover, type NotSent, notSent, type Sender } from '../sender.ts';

// Both packages export their class, too, which their types hide. Their singletons would be shared by the whole process.
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
/** A network error has no `response`, and its `code` is text, such as ECONNREFUSED. */
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
  // The library would print a warning about an empty key.
  if (options.apiKey !== '') client.setApiKey(options.apiKey);
  // After setApiKey, which resets the base URL.
  client.setDefaultRequest('baseUrl', options.apiUrl);
  service.setClient(client);
  service.setTimeout(REQUEST_TIMEOUT_MS);

  return {
    choosesMessageId: false,
    handoversAtOneTime: 25,
    async send(mail): Promise<Handover> {
      if (options.apiKey === '') {
        return notSent(
          'refused',
          'account',
          'Cannot send: the sender secret has no API key; put it into sendgridApiKey',
        );
      }
      try {
        const [answer] = await service.send({
          from: emailData(mail.from),
          personalizations: personalizationsOf(mail),
          ...(mail.replyTo.length > 0 && { replyToList: mail.replyTo.map(emailData) }),
          subject: mail.subject,
          content: contentOf(mail),
          headers: { ...mail.headers },
          customArgs: { [MAIL_ID_ARGUMENT]: mail.id },
        });
        // The mail is sent. It must not be sent again, even if the answer has no usable id.
        const { data: id = '' } = z.string().safeParse(answer.headers['x-message-id']);
        return { kind: 'sent', messageId: sendGridMessageId(id) || undefined, refused: [] };
      } catch (error) {
        return failedHandover(error);
      }
    },
    close() {},
  };
}

/**
 * The personalizations of a message. SendGrid requires `to`. If all recipients in `to` are suppressed, `cc` takes its
 * place. If there is no `cc`, each recipient in `bcc` gets a copy of its own, so that none sees another.
 */
function personalizationsOf({ to, cc, bcc }: OutgoingMail) {
  const list = (addresses: readonly Address[]) => addresses.map(emailData);
  const hidden = bcc.length > 0 && { bcc: list(bcc) };
  if (to.length > 0) return [{ to: list(to), ...(cc.length > 0 && { cc: list(cc) }), ...hidden }];
  return cc.length > 0 ? [{ to: list(cc), ...hidden }] : bcc.map((recipient) => ({ to: emailData(recipient) }));
}

/** Leaves a missing name out, because the library would send an empty one. */
function emailData({ email, name }: Address) {
  const address = { email: quotedIfNeeded(email) };
  return name === undefined ? address : { ...address, name };
}

/** text/plain must come first, or SendGrid refuses the mail. */
function contentOf({
  content,
  html,
}: OutgoingMail): [{ type: string; value: string }, ...{ type: string; value: string }[]] {
  const plainPart = { type: 'text/plain', value: content };
  const htmlPart = { type: 'text/html', value: html };
  if (content === '') return [htmlPart];
  return html === '' ? [plainPart] : [plainPart, htmlPart];
}

function failedHandover(error: unknown): NotSent {
  const parsed = responseErrorSchema.safeParse(error);
  if (!parsed.success) {
    const words = error instanceof Error ? error.message : String(error);
    return networkErrorSchema.safeParse(error).success
      ? notSent('deferred', 'provider', `SendGrid could not be reached (${words})`)
      : notSent('refused', 'message', `The mail could not be made into a request to SendGrid (${words})`);
  }
  const { code, response } = parsed.data;
  const answer = `${code}${providerWords(response.body)}`;
  if (isOfSender(code, response.body)) {
    const advice = 'verify this sender address as a Sender Identity at SendGrid, or change the attribute from';
    return notSent('refused', 'sender', `SendGrid refused the mail (${answer}): ${advice}`);
  }
  if (code === 401 || code === 403) {
    const advice = 'check sendgridApiKey of the sender secret, and that it may send mail';
    return notSent('refused', 'account', `SendGrid refused the API key (${answer}): ${advice}`);
  }
  if (code === 408 || code === 429 || code >= 500) {
    const reset = Number(response.headers?.['x-ratelimit-reset']);
    const retryAtMs = Number.isFinite(reset) && reset > 0 ? reset * 1000 : undefined;
    return notSent('deferred', 'provider', `SendGrid could not take the mail now (${answer})`, { retryAtMs });
  }
  return notSent('refused', 'message', `SendGrid refused the mail (${answer})`);
}

/** Whether the answer is about the sender address, for example because no verified Sender Identity has it. */
function isOfSender(code: number, body: unknown): boolean {
  const fields = errorBodySchema.safeParse(body).data?.errors.map(({ field }) => field) ?? [];
  if (code === 403) return fields.includes('from');
  return code === 400 && fields.length > 0 && fields.every((field) => field === 'from');
}

function providerWords(body: unknown): string {
  const parsed = errorBodySchema.safeParse(body);
  if (!parsed.success) return '';
  return parsed.data.errors.map(({ message, field }) => `: ${field ? `${field}: ` : ''}${message}`).join('');
}
