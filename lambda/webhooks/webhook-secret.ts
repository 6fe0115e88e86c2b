/** The schema and the initial value of the webhook secret, with which posts are verified. */
import * as z from 'zod/mini';

const values = z._default(z.array(z.string()), []);

/**
 * `WebhookSecret`: the keys and credentials that prove that a post comes from its provider. Every list may have several
 * values, so that a key can be rotated without a gap. `sendgridPublicKeys` are base64 of SPKI DER, as SendGrid shows
 * them.
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

/** The initial value. It must never change, because CloudFormation would then overwrite the secret. */
export const EMPTY_WEBHOOK_SECRET = {
  sendgridPublicKeys: [],
  customersMailCloud: { apiKeys: [], basic: [], bearerTokens: [] },
} satisfies WebhookSecret;
