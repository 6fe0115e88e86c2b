/** Checks a request of Mail Send. */
import { type SendGridError, sendGridErrors, wrongType } from './errors.ts';
import { customArgsOf, mailSendRequestSchema, recipientsOf } from './request.ts';
import { problemsOf } from './rules.ts';

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
  /** The request's custom arguments with the personalization's over them: what the recipient's events carry. */
  readonly customArgs: Readonly<Record<string, string>>;
}

const acceptableSchema = mailSendRequestSchema.superRefine((request, { addIssue }) => {
  for (const problem of problemsOf(request)) addIssue({ code: 'custom', ...problem });
});

/**
 * Checks the body of `POST /v3/mail/send` as SendGrid does, apart from attachments, templates and scheduling.
 * Limits: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations.
 */
export function readMailSend(
  body: unknown,
): { readonly mail: AcceptedMail } | { readonly errors: readonly SendGridError[] } {
  const { data, error } = acceptableSchema.safeParse(body, { error: wrongType });
  if (error) return { errors: sendGridErrors(error) };
  return {
    mail: {
      recipients: data.personalizations.flatMap((personalization) =>
        recipientsOf(personalization).map(({ email }) => ({ email, customArgs: customArgsOf(data, personalization) })),
      ),
      categories: data.categories,
      sandbox: data.mail_settings?.sandbox_mode?.enable ?? false,
    },
  };
}
