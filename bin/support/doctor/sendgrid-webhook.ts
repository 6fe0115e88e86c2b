/** Checks: SendGrid's Event Webhook, and a test post by it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../../../lambda/aws/dynamodb.ts';
import { forEachConcurrently } from '../../../lambda/aws/for-each-concurrently.ts';
import { EVENT_ENTRY_PREFIX } from '../../../lambda/recording/entries.ts';
import { counted } from '../../../local/counted.ts';
import { WEBHOOK_KEY } from '../answers.ts';
import { type EventWebhook, WEBHOOK_EVENTS } from '../sendgrid-api.ts';
import { webhookSecretOf } from '../stack-secrets.ts';
import type { DoctorContext } from './context.ts';
import { type Check, fix, NOT_RECEIVED, ok, skipped } from './verdict.ts';

const NO_KEY = `needs ${WEBHOOK_KEY} in the environment, a key that may edit webhooks`;
const SETUP = 'run `npm run setup` with the webhook key';

/** The message id of SendGrid's samples; no message has it. "Test Your Integration" in its menus posts the same. */
export const SAMPLE_FULL_MESSAGE_ID = '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0';
const SAMPLE_MESSAGE_ID = '14c5d75ce93.dfd.64b469';
const PATIENCE_MS = 30_000;

/** Checks the settings of the Event Webhook at SendGrid. */
export function sendGridWebhookCheck({ outputs, sendGrid }: DoctorContext): Check {
  return {
    name: "SendGrid's Event Webhook",
    look: async () => {
      if (outputs.SendGridWebhookUrl === undefined) return skipped(NOT_RECEIVED);
      if (!sendGrid) return skipped(NO_KEY);
      const [webhook] = await sendGrid.webhooksTo(outputs.SendGridWebhookUrl);
      if (!webhook) return fix(`no Event Webhook posts to SendGridWebhookUrl: ${SETUP}`);
      const { sendgridPublicKeys } = (await webhookSecretOf(outputs).read()).value;
      const problems = webhookProblems(webhook);
      if (webhook.public_key !== '' && !sendgridPublicKeys.includes(webhook.public_key)) {
        problems.push('its public key is not in the secret');
      }
      return problems.length > 0
        ? fix(`${problems.join('; ')}: ${SETUP}`)
        : ok('it is enabled, signs its posts, and posts all events that Todoke needs');
    },
  };
}

/** The settings of a webhook that do not fit Todoke. */
export function webhookProblems(webhook: EventWebhook): string[] {
  const off = Object.entries(WEBHOOK_EVENTS).flatMap(([event, on]) => (on && webhook[event] !== true ? [event] : []));
  return [
    ...(webhook.enabled ? [] : ['it is not enabled']),
    ...(webhook.public_key === '' ? ['it does not sign its posts'] : []),
    ...(off.length > 0 ? [`it does not post ${off.join(', ')}`] : []),
  ];
}

/**
 * Has SendGrid post its samples, waits until they are recorded, and deletes them.
 *
 * @param patienceMs limit for the wait
 */
export function testPostCheck({ outputs, sendGrid, client }: DoctorContext, patienceMs = PATIENCE_MS): Check {
  const query = async (TableName: string, key: string, value: string, prefix?: { name: string; begins: string }) => {
    const { Items = [] } = await client.send(
      new QueryCommand({
        TableName,
        ConsistentRead: true,
        KeyConditionExpression: `#key = :value${prefix ? ' AND begins_with(#prefix, :begins)' : ''}`,
        ExpressionAttributeNames: { '#key': key, ...(prefix && { '#prefix': prefix.name }) },
        ExpressionAttributeValues: { ':value': value, ...(prefix && { ':begins': prefix.begins }) },
      }),
    );
    return Items;
  };
  // Only events: somebody may have logged a message under this id.
  const story = () =>
    query(outputs.SentLogTableName, 'messageId', SAMPLE_MESSAGE_ID, { name: 'entry', begins: EVENT_ENTRY_PREFIX });
  const bounces = () => query(outputs.BounceTableName, 'fullMessageId', SAMPLE_FULL_MESSAGE_ID);
  const remove = async (TableName: string, rows: readonly Row[], keys: readonly string[]) =>
    forEachConcurrently(rows, async (row) => {
      const Key = Object.fromEntries(keys.map((key) => [key, row[key]]));
      await client.send(new DeleteCommand({ TableName, Key }));
    });
  const clean = async () => {
    await remove(outputs.SentLogTableName, await story(), ['messageId', 'entry']);
    await remove(outputs.BounceTableName, await bounces(), ['fullMessageId', 'eventId']);
  };
  return {
    name: "SendGrid's test post",
    look: async () => {
      if (outputs.SendGridWebhookUrl === undefined) return skipped(NOT_RECEIVED);
      if (!sendGrid) return skipped(NO_KEY);
      const [webhook] = await sendGrid.webhooksTo(outputs.SendGridWebhookUrl);
      if (!webhook) return skipped('there is no webhook to test');
      await clean();
      await sendGrid.testWebhook(webhook);
      const recorded = await atRest(async () => (await story()).length + (await bounces()).length, patienceMs);
      await clean();
      if (recorded === 0) {
        return fix(
          `no row was recorded within ${patienceMs / 1000} s: look at the logs of ReceiveSendGrid and RecordEvents`,
        );
      }
      return ok(`it was accepted; ${counted(recorded, 'row')} recorded, and deleted again`);
    },
  };
}

/** Waits until the count is not 0 and stays the same for a second: a post is recorded in several requests. */
async function atRest(count: () => Promise<number>, patienceMs: number): Promise<number> {
  const deadlineMs = Date.now() + patienceMs;
  let last = 0;
  while (Date.now() < deadlineMs) {
    const now = await count();
    if (now > 0 && now === last) return now;
    last = now;
    await sleep(1_000);
  }
  return last;
}
