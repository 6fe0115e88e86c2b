/** The sample events that SendGrid posts when somebody tests a webhook. */
import type { SendGridEvent } from './events.ts';

const common = {
  email: 'example@test.com',
  'smtp-id': '<14c5d75ce93.dfd.64b469@ismtpd-555>',
  category: ['cat facts'],
  sg_message_id: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
};
const browser = {
  useragent: 'Mozilla/4.0 (compatible; MSIE 6.1; Windows XP; .NET CLR 1.1.4322; .NET CLR 2.0.50727)',
  ip: '255.255.255.255',
};
const clicked = { ...browser, url: 'http://www.sendgrid.com/' };

/** One sample per event type, whatever the settings are, as in SendGrid's documentation. */
const SAMPLES: Readonly<Record<string, SendGridEvent>> = {
  processed: {},
  deferred: { response: '400 try again later', attempt: '5' },
  delivered: { response: '250 OK' },
  open: browser,
  click: clicked,
  bounce: { reason: '500 unknown recipient', status: '5.0.0' },
  dropped: { reason: 'Bounced Address', status: '5.0.0' },
  spamreport: {},
  unsubscribe: {},
  group_unsubscribe: { ...clicked, asm_group_id: 10 },
  group_resubscribe: { ...clicked, asm_group_id: 10 },
};

/**
 * The events of a test post. All have the same message id, which no mail has.
 *
 * @param random makes the event ids: 16 random bytes in base64, so that they differ between tests
 */
export function sampleEvents(nowMs: number, random: () => string): SendGridEvent[] {
  return Object.entries(SAMPLES).map(([event, fields]) => ({
    ...common,
    ...fields,
    event,
    timestamp: Math.floor(nowMs / 1000),
    sg_event_id: random(),
  }));
}
