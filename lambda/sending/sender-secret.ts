/** The schema and the initial value of the sender secret, with which mail is sent. */
import * as z from 'zod/mini';

/** `SenderSecret`: the credentials at the providers. An empty string means: not set up. */
export const senderSecretSchema = z.object({
  sendgridApiKey: z._default(z.string(), ''),
  customersMailCloudSmtp: z._default(
    z.object({ host: z.string(), port: z.number(), user: z.string(), password: z.string() }),
    { host: '', port: 587, user: '', password: '' },
  ),
});
export type SenderSecret = z.infer<typeof senderSecretSchema>;

/** The initial value. It must never change, because CloudFormation would then overwrite the secret. */
export const EMPTY_SENDER_SECRET = {
  sendgridApiKey: '',
  customersMailCloudSmtp: { host: '', port: 587, user: '', password: '' },
} satisfies SenderSecret;
