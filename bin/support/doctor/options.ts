/** The environment variable with a SendGrid key that may edit webhooks. It is used, and stored nowhere. */
export const WEBHOOK_KEY = 'TODOKE_SENDGRID_WEBHOOK_KEY';

export const DOCTOR_OPTIONS = {
  days: { default: '3', help: 'how many days back Bounce rows are looked at; 0: not at all' },
} as const;

/** @throws Error that says what is allowed */
export function daysOf(text: string): number {
  const days = Number(text);
  if (/^\d+$/.test(text) && days <= 90) return days;
  throw new Error(`Cannot use --days ${text}: it must be a whole number from 0 to 90`);
}
