/** Sets SendGrid's Event Webhook up. */
import { parsePublicKey } from '../../../lambda/providers/sendgrid/webhook.ts';
import { counted } from '../../../local/counted.ts';
import { WEBHOOK_KEY } from '../answers.ts';
import { webhookProblems } from '../doctor/sendgrid-webhook.ts';
import { type EventWebhook, SendGridApi, WEBHOOK_EVENTS } from '../sendgrid-api.ts';
import { done, type Setup, say, sayNotReceived, steps, title } from './step.ts';

/**
 * Points SendGrid's Event Webhook here and stores its public key. Without an API key that may do so, prints the steps.
 *
 * @param shownKey the Verification Key that a person copied; `""` for none
 */
export async function setUpSendGridEvents(setup: Setup, shownKey: string): Promise<void> {
  title('SendGrid, events');
  const url = setup.outputs.SendGridWebhookUrl;
  if (url === undefined) return sayNotReceived();
  if (setup.webhookKey !== '') {
    await setUpWebhook(setup, url);
    if (shownKey !== '') say('--sendgrid-public-key was not used: the public key came from SendGrid.');
    return;
  }
  const { sendgridPublicKeys: keys } = (await setup.webhookSecret.read()).value;
  say(`public keys: ${keys.length === 0 ? 'missing' : `${keys.length} set`}`);
  if (shownKey === '') sayMenuSteps(setup);
  const key = await setup.answers.open(shownKey, 'The Verification Key (leave empty to enter it later)');
  if (key === '') return;
  if (!parsePublicKey(key))
    throw new Error('Cannot use the Verification Key: it is not a P-256 key in the form that SendGrid shows');
  await addPublicKeys(setup, [key]);
}

async function setUpWebhook(setup: Setup, url: string): Promise<void> {
  const { outputs, webhookKey } = setup;
  const api = new SendGridApi(outputs, webhookKey);
  const there = await api.webhooksTo(url);
  const webhooks = there.length > 0 ? there : [await create(api, url)];
  const signing = webhooks.map(async (webhook) => {
    if (webhook.public_key !== '') return webhook.public_key;
    const key = await api.signWebhook(webhook.id);
    done('the Event Webhook signs its posts now');
    return key;
  });
  const keys = await Promise.all(signing);
  if (!keys.every(parsePublicKey))
    throw new Error('Cannot use the public key that SendGrid returned: it is not a P-256 key');
  await addPublicKeys(setup, keys);
  // Enabled only now that its posts can be verified.
  const [webhook] = webhooks;
  if (webhook && !isReady(webhook)) {
    await api.updateWebhook(webhook.id, { ...settings(webhook.url), friendly_name: webhook.friendly_name ?? 'Todoke' });
    done(`the Event Webhook is enabled, and posts ${eventNames().join(', ')}`);
  }
  say('The key that may edit webhooks is not stored.');
}

async function create(api: SendGridApi, url: string): Promise<EventWebhook> {
  const created = await api.createWebhook({ ...settings(url), enabled: false, friendly_name: 'Todoke' });
  done('an Event Webhook was created, with the address of this stack');
  return created;
}

/** Whether the webhook has the settings that Todoke needs. Its signature is not checked: it is switched on before. */
function isReady(webhook: EventWebhook): boolean {
  const unwanted = Object.entries(WEBHOOK_EVENTS).some(([event, on]) => !on && webhook[event] === true);
  return webhookProblems({ ...webhook, public_key: 'there' }).length === 0 && !unwanted;
}

const settings = (url: string) => ({ url, enabled: true, ...WEBHOOK_EVENTS });
const eventNames = () => Object.entries(WEBHOOK_EVENTS).flatMap(([event, on]) => (on ? [event] : []));

/** Adds keys at the end of the list. Earlier keys stay accepted. */
async function addPublicKeys({ webhookSecret }: Setup, keys: readonly string[]): Promise<void> {
  const { sendgridPublicKeys: known } = (await webhookSecret.read()).value;
  const all = [...new Set([...known, ...keys])];
  if (all.length === known.length) {
    say(`public key: set, and kept (${counted(all.length, 'key')} accepted)`);
    return;
  }
  await webhookSecret.change({ sendgridPublicKeys: all });
  done(`public key: stored, and in use within a minute (${counted(all.length, 'key')} accepted)`);
}

/** Keeps only the keys of the enabled webhooks. Without a webhook key or a webhook, keeps the key that was added last. */
export async function retirePublicKeys({ outputs, webhookKey, webhookSecret }: Setup): Promise<void> {
  const { sendgridPublicKeys: known } = (await webhookSecret.read()).value;
  const current =
    webhookKey === '' || outputs.SendGridWebhookUrl === undefined
      ? known.slice(-1)
      : (await new SendGridApi(outputs, webhookKey).webhooksTo(outputs.SendGridWebhookUrl))
          .filter(({ enabled }) => enabled)
          .map(({ public_key }) => public_key);
  const kept = known.filter((key) => current.includes(key));
  if (kept.length === 0)
    throw new Error('Cannot retire any public key: none of them is in use at SendGrid. First run `npm run setup`');
  await webhookSecret.change({ sendgridPublicKeys: kept });
  done(`${counted(known.length - kept.length, 'public key')} retired, ${counted(kept.length, 'key')} accepted`);
}

function sayMenuSteps({ outputs }: Setup): void {
  say(`If ${WEBHOOK_KEY} has a key that may edit webhooks, this command does these steps. By hand, in SendGrid:`);
  steps([
    'Settings → Mail Settings → Event Webhooks → Create new webhook',
    `Post URL: ${outputs.SendGridWebhookUrl}`,
    'Tick Processed, Deferred, Delivered, Bounced, Dropped and Spam Reports, and no other',
    'Under Security features enable Signed Event Webhook, save, and copy the Verification Key',
    'Run this command again with --sendgrid-public-key <the Verification Key>, or enter the key when asked',
  ]);
}
