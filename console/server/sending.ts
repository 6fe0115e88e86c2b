/** Sends a new mail, or an item again. */
import { randomBytes } from 'node:crypto';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Tables } from '../../lambda/recipients/tables.ts';
import { sendAgain } from '../../lambda/sending/send-again.ts';
import { isWaiting, whyStuck } from '../../lambda/sending/stuck.ts';
import type { Answered, Asked } from '../shared/api.ts';
import { problemsOf } from '../shared/new-mail.ts';
import { Refused } from './refused.ts';

/** Puts a mail into the Mail table. */
export async function sendMail({ client, mail }: Tables, asked: Asked<'send'>): Promise<Answered<'send'>> {
  const [field] = Object.keys(problemsOf(asked));
  if (field !== undefined) throw new Refused(400, `Cannot send: ${field} is missing or wrong`);
  // The id is readable, and sorts by time.
  const id = `console-${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}-${randomBytes(3).toString('hex')}`;
  await client.send(
    new PutCommand({
      TableName: mail,
      Item: { id, ...asked, to: asked.to.filter((part) => part.trim() !== '') },
      ConditionExpression: 'attribute_not_exists(#id)',
      ExpressionAttributeNames: { '#id': 'id' },
    }),
  );
  return { id };
}

/** Sends an item again that failed, is stuck, or has no status. One that was about to be sent anyway is sent only once. */
export async function resendMail({ client, mail }: Tables, { id }: Asked<'resend'>): Promise<Answered<'resend'>> {
  const { Item } = await client.send(new GetCommand({ TableName: mail, Key: { id }, ConsistentRead: true }));
  if (!Item || (!isWaiting(Item['status']) && whyStuck(Item, Date.now()) === undefined)) return { again: false };
  return { again: await sendAgain(client, mail, Item, Date.now()) };
}
