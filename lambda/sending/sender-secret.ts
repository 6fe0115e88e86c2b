/** The secret with which mail is sent. */
import * as z from 'zod/mini';

/** `SenderSecret`: what the sender signs in with. An empty string means: not set up. */
export const senderSecretSchema = z.object({
  sendgridApiKey: z._default(z.string(), ''),
  customersMailCloudSmtp: z._default(
    z.object({ host: z.string(), port: z.number(), user: z.string(), password: z.string() }),
    { host: '', port: 587, user: '', password: '' },
  ),
});
export type SenderSecret = z.infer<typeof senderSecretSchema>;

/** The first value. CloudFormation would write the secret anew if this changed: it never may. */
export const EMPTY_SENDER_SECRET = {
  sendgridApiKey: '',
  customersMailCloudSmtp: { host: '', port: 587, user: '', password: '' },
} satisfies SenderSecret;
