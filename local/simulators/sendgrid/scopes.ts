/** The scopes of API keys. */

/** The scopes of a key that was made with "Mail Send" only. */
const SENDING = ['mail.send', 'sender_verification_eligible', '2fa_required'];
const WEBHOOKS = [
  'user.webhooks.event.settings.create',
  'user.webhooks.event.settings.read',
  'user.webhooks.event.settings.update',
  'user.webhooks.event.settings.delete',
  'user.webhooks.event.test.create',
];
const FULL = [...SENDING, ...WEBHOOKS, 'api_keys.create', 'suppression.read', 'suppression.delete', 'templates.read'];

/**
 * The scopes of a key. Here its name decides: `SG.webhooks.…` may edit webhooks, `SG.full.…` has all scopes, and every other
 * key may send mail.
 *
 * @returns undefined if the header has no key
 * @see https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions
 */
export function scopesOf(authorization: string | undefined): readonly string[] | undefined {
  const [, name] = /^Bearer SG\.([\w-]+)\.[\w-]+$/.exec(authorization ?? '') ?? [];
  if (name === undefined) return undefined;
  if (name === 'webhooks') return WEBHOOKS;
  return name === 'full' ? FULL : SENDING;
}
