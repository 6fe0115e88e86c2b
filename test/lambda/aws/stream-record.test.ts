import type { DynamoDBRecord } from 'aws-lambda';
import { expect, test } from 'vitest';
import { forEachRecord } from '../../../lambda/aws/stream-record.ts';

/** @param attributes attributes in DynamoDB's JSON, possibly malformed */
const inserted = (id: string, attributes: object = {}): DynamoDBRecord => ({
  eventID: `event-of-${id}`,
  eventName: 'INSERT',
  dynamodb: {
    SequenceNumber: `number-of-${id}`,
    ApproximateCreationDateTime: 1_790_000_000,
    NewImage: Object.assign({ id: { S: id } }, attributes),
  },
});

async function workedOn(records: DynamoDBRecord[], failing?: string) {
  const rows: unknown[] = [];
  const answer = await forEachRecord({ Records: records }, 2, async ({ row }) => {
    rows.push(row);
    if (row['id'] === failing) throw new Error('work failed');
  });
  return { rows, answer };
}

// DynamoDB Local 3 writes an empty map as `{}`.
test.each<[string, object]>([
  ['is empty', { meta: {} }],
  ['holds an empty one', { meta: { M: { list: { L: [{}] } } } }],
])('an attribute that %s is left out, and all records of the batch are still processed', async (_, unreadable) => {
  const records = [inserted('before'), inserted('bad', { ...unreadable, count: { N: '1' } }), inserted('after')];
  await expect(workedOn(records)).resolves.toEqual({
    rows: [{ id: 'before' }, { id: 'bad', count: 1 }, { id: 'after' }],
    answer: { batchItemFailures: [] },
  });
});

test('only records whose processing failed are delivered again', async () => {
  const { rows, answer } = await workedOn([inserted('a'), inserted('b'), inserted('c')], 'b');
  expect(rows).toHaveLength(3);
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'number-of-b' }] });
});
