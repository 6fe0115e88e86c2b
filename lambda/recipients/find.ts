/** Finds a mail by an id that a person typed. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import type { Lookup } from './lookup.ts';
import { readLogRows } from './story.ts';
import { queryPartition, type Tables } from './tables.ts';

/** A mail, by its message id or by its item. */
export type FoundId = { readonly messageId: string } | { readonly id: string };

/** The mail with this message id, in any of its forms, or with this id of an item. Makes at most six requests. */
export async function findById(tables: Tables, { messageIds, mailId }: Lookup): Promise<FoundId | undefined> {
  if (mailId === '') return undefined;
  const [logs, { Item: item }] = await Promise.all([
    readLogRows(tables, messageIds),
    tables.client.send(new GetCommand({ TableName: tables.mail, Key: { id: mailId } })),
  ]);
  const logged = new Set(logs.map((row) => row['messageId']));
  const [exact = ''] = messageIds;
  if (logged.has(exact)) return { messageId: exact };
  if (item) return { id: mailId };
  const found = messageIds.find((messageId) => logged.has(messageId));
  if (found !== undefined) return { messageId: found };
  // A mail that was never logged may have events.
  for (const messageId of messageIds) {
    const { rows } = await queryPartition(tables.client, tables.sentLog, ['messageId', messageId], 1);
    if (rows.length > 0) return { messageId };
  }
  return undefined;
}
