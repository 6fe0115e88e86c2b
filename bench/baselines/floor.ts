/**
 * The least work that any program has with the recorder's messages: decompress, `JSON.parse`, and as few requests as
 * possible, with items that were made before. Nothing is validated, and the parsed events are not used.
 */
import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  BatchWriteItemCommand,
  type BatchWriteItemCommandInput,
  DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { SQSEvent } from 'aws-lambda';
import { CLIENT_SETTINGS } from '../../lambda/aws/clients.ts';
import { forEachConcurrently } from '../../lambda/aws/for-each-concurrently.ts';

const { FLOOR_REQUESTS = '', FLOOR_SETTINGS } = process.env;
/** With `ours`, the client has the settings of Todoke, which save the copies that the SDK makes for its logger. */
const client = new DynamoDBClient(FLOOR_SETTINGS === 'ours' ? CLIENT_SETTINGS : {});
/** The recorder's requests for the same messages. */
const requests: { readonly gets: BatchGetItemCommandInput[]; readonly puts: BatchWriteItemCommandInput[] } = JSON.parse(
  readFileSync(FLOOR_REQUESTS, 'utf8'),
);

export async function handler(event: SQSEvent) {
  for (const { body } of event.Records) JSON.parse(brotliDecompressSync(Buffer.from(body, 'base64')).toString());
  await forEachConcurrently(requests.gets, async (input) => void (await client.send(new BatchGetItemCommand(input))));
  await forEachConcurrently(requests.puts, async (input) => void (await client.send(new BatchWriteItemCommand(input))));
  return { batchItemFailures: [] };
}
