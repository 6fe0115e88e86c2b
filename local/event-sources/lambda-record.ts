/** A stream's record as functions get it. */
import type { _Record } from '@aws-sdk/client-dynamodb-streams';
import * as z from 'zod';

/** A record as Lambda hands it to functions, with what local mode itself has to know of it. */
export interface LambdaRecord {
  readonly sequenceNumber: string;
  /** Unix milliseconds, to the second. */
  readonly createdAt: number;
  /** The record in the event, for JSON. */
  readonly event: Readonly<Record<string, unknown>>;
  /** Of its JSON. */
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
      dynamodb: { ...dynamodb, ApproximateCreationDateTime: Math.floor(createdAt / 1000) },
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
