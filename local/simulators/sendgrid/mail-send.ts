/** Checks a request of Mail Send. */
import * as z from 'zod';
import { isMailbox } from '../address.ts';
import { type SendGridError, sendGridErrors } from './errors.ts';

/** What the simulator keeps of a mail that it accepts. */
export interface AcceptedMail {
  readonly recipients: readonly Recipient[];
  readonly categories: readonly string[];
  /** Sandbox mode: the request is checked, and nothing is sent. */
  readonly sandbox: boolean;
}

/** One of the to, cc and bcc of a personalization. */
interface Recipient {
  readonly email: string;
  /** For the recipient's events: the request's custom arguments, overridden by those of the personalization. */
  readonly customArgs: Readonly<Record<string, string>>;
}

/**
 * Checks the body of `POST /v3/mail/send` as SendGrid does, as far as a mail of Todoke or of an application without
 * templates can fail: addresses, recipients, subject and content.
 *
 * The wording is that of https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors. Limits:
 * https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations.
 */
export function readMailSend(
  body: unknown,
): { readonly mail: AcceptedMail } | { readonly errors: readonly SendGridError[] } {
  const { data, error } = requestSchema.safeParse(body);
  if (error) return { errors: sendGridErrors(error) };
  return {
    mail: {
      recipients: data.personalizations.flatMap((personalization) =>
        recipientsOf(personalization).map(({ email }) => ({
          email,
          customArgs: { ...data.custom_args, ...personalization.custom_args },
        })),
      ),
      categories: data.categories,
      sandbox: data.mail_settings?.sandbox_mode?.enable ?? false,
    },
  };
}

const MAX_RECIPIENTS = 1_000;
const NO_SENDER =
  'The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or {"email" : "example@example.com", "name" : "Example Recipient"}.';
const NO_PERSONALIZATION = 'The personalizations field is required and must have at least one personalization.';
const NO_TO =
  'The to array is required for all personalization objects, and must have at least one email object with a valid email address.';
const NO_VALUE = 'The content value must be a string at least one character in length.';

const address = (whereMissing: string) =>
  z.object({
    email: z.string(whereMissing).refine(isMailbox, 'Does not contain a valid address.'),
    name: z.string().optional(),
  });
const recipients = z.array(address('The to email parameter is required.'), NO_TO);
const customArgs = z.record(z.string(), z.string()).default({});

const personalizationSchema = z
  .object({
    to: recipients.min(1, NO_TO),
    cc: recipients.default([]),
    bcc: recipients.default([]),
    custom_args: customArgs,
  })
  .superRefine((personalization, { addIssue }) => {
    const seen = new Set<string>();
    for (const { email, list } of recipientsOf(personalization)) {
      if (seen.has(email.toLowerCase())) {
        const message = `Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate instance of [${email}] in the ${list} field.`;
        return addIssue({ code: 'custom', message });
      }
      seen.add(email.toLowerCase());
    }
  });
const contentSchema = z.object({ type: z.string().min(1), value: z.string(NO_VALUE).min(1, NO_VALUE) });

const requestSchema = z
  .object({
    // If the whole object is missing, SendGrid also reports its email as missing.
    from: z.preprocess((from) => from ?? {}, address(NO_SENDER)),
    personalizations: z.array(personalizationSchema, NO_PERSONALIZATION).min(1, NO_PERSONALIZATION),
    subject: z.string('The subject is required.').min(1, 'The subject is required.'),
    content: z.array(contentSchema, 'There must be at least one defined content block.').min(1),
    custom_args: customArgs,
    categories: z.array(z.string()).default([]),
    mail_settings: z.object({ sandbox_mode: z.object({ enable: z.boolean().default(false) }).optional() }).optional(),
  })
  .superRefine(({ personalizations, content }, { addIssue }) => {
    const refuse = (field: string, message: string) => addIssue({ code: 'custom', path: [field], message });
    if (personalizations.flatMap(recipientsOf).length > MAX_RECIPIENTS) {
      refuse('personalizations', 'There is a limit of 1000 total recipients (to + cc + bcc) per request.');
    }
    const texts = content.map(({ type }) => type).filter((type) => type === 'text/plain' || type === 'text/html');
    if (new Set(texts).size < texts.length) {
      refuse('content', 'If present, text/plain and text/html may only be provided once.');
    } else if (texts[0] === 'text/html' && texts.length > 1) {
      refuse('content', 'text/plain needs to be first, followed by text/html, followed by any other content.');
    }
  });

/** To, Cc and Bcc, each with the name of its list. */
function recipientsOf({ to, cc, bcc }: Pick<z.infer<typeof personalizationSchema>, 'to' | 'cc' | 'bcc'>) {
  return Object.entries({ to, cc, bcc }).flatMap(([list, addresses]) =>
    addresses.map(({ email }) => ({ email, list })),
  );
}
