/** Makes the records that functions get from the engine's stream records. */
import type { _Record, AttributeValue } from '@aws-sdk/client-dynamodb-streams';
import * as z from 'zod';
import { plainNumber } from './plain-number.ts';

/** A record as Lambda hands it to functions, and its parts that local mode itself needs. */
export interface LambdaRecord {
  readonly sequenceNumber: string;
  /** Unix milliseconds, to the second. */
  readonly createdAt: number;
  /** The record in the event, for JSON. */
  readonly event: Readonly<Record<string, unknown>>;
  /** The size of its JSON. */
  readonly bytes: number;
}

const fromEngine = z.object({
  dynamodb: z.looseObject({ ApproximateCreationDateTime: z.date(), SequenceNumber: z.string() }),
});

/**
 * Makes an engine's record what a function gets: region and ARN of the stack, time in unix seconds, binary values in
 * base64.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
 */
export function toLambdaRecord(record: _Record, region: string, streamArn: string): LambdaRecord {
  const { dynamodb } = fromEngine.parse(record);
  const createdAt = dynamodb.ApproximateCreationDateTime.getTime();
  const json = JSON.stringify(
    {
      ...record,
      awsRegion: region,
      dynamodb: {
        ...dynamodb,
        ...imagesOf(record),
        ApproximateCreationDateTime: Math.floor(createdAt / 1000),
      },
      eventSourceARN: streamArn,
    },
    (_key, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value),
  );
  return {
    sequenceNumber: dynamodb.SequenceNumber,
    createdAt,
    event: z.record(z.string(), z.unknown()).parse(JSON.parse(json)),
    bytes: Buffer.byteLength(json),
  };
}

function imagesOf({ dynamodb = {} }: _Record) {
  const { Keys, NewImage, OldImage } = dynamodb;
  return {
    ...(Keys && { Keys: likeDynamoDb(Keys) }),
    ...(NewImage && { NewImage: likeDynamoDb(NewImage) }),
    ...(OldImage && { OldImage: likeDynamoDb(OldImage) }),
  };
}

/** An image as DynamoDB has it: DynamoDB Local keeps numbers below the first level as they were written. */
const likeDynamoDb = (image: Record<string, AttributeValue>): Record<string, AttributeValue> =>
  Object.fromEntries(Object.entries(image).map(([name, value]) => [name, valueLikeDynamoDb(value)]));

function valueLikeDynamoDb(value: AttributeValue): AttributeValue {
  if (value.N !== undefined) return { N: plainNumber(value.N) };
  if (value.NS !== undefined) return { NS: value.NS.map(plainNumber) };
  if (value.M !== undefined) return { M: likeDynamoDb(value.M) };
  if (value.L !== undefined) return { L: value.L.map(valueLikeDynamoDb) };
  // DynamoDB Local 3 leaves out the type of an empty map (github.com/awslabs/amazon-dynamodb-local-samples/issues/37), and
  // that of an empty list. The two look the same, so both become a map.
  return Object.keys(value).length === 0 ? { M: {} } : value;
}
