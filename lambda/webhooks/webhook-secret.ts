/** The secret with which webhooks are verified. */
import * as z from 'zod/mini';

const values = z._default(z.array(z.string()), []);

/**
 * `WebhookSecret`: what proves that a webhook comes from the provider. Every list may hold several values, so that a key
 * can be rotated without a gap. `sendgridPublicKeys` are base64 SPKI DER, as SendGrid shows them.
 */
export const webhookSecretSchema = z.object({
  sendgridPublicKeys: values,
  customersMailCloud: z._default(
    z.object({
      apiKeys: values,
      basic: z._default(z.array(z.object({ user: z.string(), password: z.string() })), []),
      bearerTokens: values,
    }),
    { apiKeys: [], basic: [], bearerTokens: [] },
  ),
});
export type WebhookSecret = z.infer<typeof webhookSecretSchema>;

/** The first value. CloudFormation would write the secret anew if this changed: it never may. */
export const EMPTY_WEBHOOK_SECRET = {
  sendgridPublicKeys: [],
  customersMailCloud: { apiKeys: [], basic: [], bearerTokens: [] },
} satisfies WebhookSecret;
