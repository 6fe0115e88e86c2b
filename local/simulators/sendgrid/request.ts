/** The schema of a request of Mail Send. */
import * as z from 'zod';
import { isMailbox } from '../address.ts';
import { MESSAGES } from './errors.ts';

/** Another message for a value that is not there. */
const missing = (message: string) => ({
  error: (issue: z.core.$ZodRawIssue) => (issue.input === undefined ? message : undefined),
});

const address = (whereMissing: string) =>
  z.object({
    email: z.string(missing(whereMissing)).refine(isMailbox, MESSAGES.address),
    name: z.string().optional(),
  });
const recipients = z.array(address(MESSAGES.toEmail));
const customArgs = z.record(z.string(), z.string());

const personalizationSchema = z.object({
  to: z.array(address(MESSAGES.toEmail), missing(MESSAGES.to)).min(1, MESSAGES.to),
  cc: recipients.default([]),
  bcc: recipients.default([]),
  subject: z.string().optional(),
  custom_args: customArgs.default({}),
});

/**
 * The fields of a request that the simulator knows, each of the right JSON type. It does not look at attachments,
 * scheduling and tracking.
 */
export const mailSendRequestSchema = z.object({
  // SendGrid names the email as what is missing even where the whole object is.
  from: z.preprocess((from) => from ?? {}, address(MESSAGES.from)),
  reply_to: address(MESSAGES.replyTo).optional(),
  personalizations: z
    .array(personalizationSchema, missing(MESSAGES.personalizations))
    .min(1, MESSAGES.personalizations),
  subject: z.string().optional(),
  content: z
    .array(
      z.object({
        type: z.string(missing(MESSAGES.contentType)).min(1, MESSAGES.contentType),
        value: z.string(missing(MESSAGES.contentValue)).min(1, MESSAGES.contentValue),
      }),
    )
    .default([]),
  template_id: z.string().optional(),
  custom_args: customArgs.default({}),
  categories: z.array(z.string()).default([]),
  mail_settings: z.object({ sandbox_mode: z.object({ enable: z.boolean().default(false) }).optional() }).optional(),
});

/** A request whose fields are there and of the right type; {@link problemsOf} in rules.ts says what else is wrong. */
export type MailSendRequest = z.infer<typeof mailSendRequestSchema>;
/** Recipients who get one mail, and what is theirs of it. */
export type Personalization = MailSendRequest['personalizations'][number];

/** To, Cc and Bcc, each with the name of its list. */
export function recipientsOf({ to, cc, bcc }: Personalization) {
  return [
    ...to.map(({ email }) => ({ email, list: 'to' })),
    ...cc.map(({ email }) => ({ email, list: 'cc' })),
    ...bcc.map(({ email }) => ({ email, list: 'bcc' })),
  ];
}

/** The request's custom arguments with the personalization's over them. */
export function customArgsOf(request: MailSendRequest, personalization: Personalization): Record<string, string> {
  return { ...request.custom_args, ...personalization.custom_args };
}
