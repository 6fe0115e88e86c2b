import * as z from 'zod/mini';

/**
 * `WebhookSecret`: what proves that a webhook comes from the provider. Every list may hold several values, so that a key
 * can be rotated without a gap. `sendgridPublicKeys` are base64 SPKI DER, as SendGrid shows them.
 */
export const webhookSecretSchema = z.object({
  sendgridPublicKeys: z._default(z.array(z.string()), []),
  customersMailCloud: z._default(
    z.object({
      apiKeys: z._default(z.array(z.string()), []),
      basic: z._default(z.array(z.object({ user: z.string(), password: z.string() })), []),
      bearerTokens: z._default(z.array(z.string()), []),
    }),
    { apiKeys: [], basic: [], bearerTokens: [] },
  ),
});
export type WebhookSecret = z.infer<typeof webhookSecretSchema>;

/** `SenderSecret`: what the sender signs in with. An empty string means: not set up. */
export const senderSecretSchema = z.object({
  sendgridApiKey: z._default(z.string(), ''),
  customersMailCloudSmtp: z._default(
    z.object({ host: z.string(), port: z.number(), user: z.string(), password: z.string() }),
    { host: '', port: 587, user: '', password: '' },
  ),
});
export type SenderSecret = z.infer<typeof senderSecretSchema>;

/** The first values. CloudFormation would write a secret anew if these changed: they never may. */
export const EMPTY_WEBHOOK_SECRET = {
  sendgridPublicKeys: [],
  customersMailCloud: { apiKeys: [], basic: [], bearerTokens: [] },
} satisfies WebhookSecret;
export const EMPTY_SENDER_SECRET = {
  sendgridApiKey: '',
  customersMailCloudSmtp: { host: '', port: 587, user: '', password: '' },
} satisfies SenderSecret;
