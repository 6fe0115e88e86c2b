/** Answers EventBridge's call PutEvents. The default bus is a file here. */
import { randomUUID } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Authorize } from '../access.ts';
import { jsonOrUndefined } from '../json.ts';
import { LOCAL_ACCOUNT } from '../stack/physical-resources.ts';
import { AwsApiError, type AwsCall } from './aws-api.ts';

/** EventBridge's limits (User Guide, "Amazon EventBridge quotas"). Where older documentation says 256 KB, it is 1 MB now. */
const MAX_ENTRIES = 10;
const MAX_REQUEST_BYTES = 1024 * 1024;

const putEvents = z.object({
  Entries: z
    .array(z.strictObject({ Source: z.string().min(1), DetailType: z.string().min(1), Detail: z.string() }))
    .min(1)
    .max(MAX_ENTRIES),
});
const detailSchema = z.record(z.string(), z.unknown());

interface EventBusOptions {
  /** Gets one line of JSON for each event, in the form in which EventBridge delivers it. */
  readonly file: string;
  readonly region: string;
  readonly authorize: Authorize;
}

/** @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html */
export function eventBusCalls({ file, region, authorize }: EventBusOptions): Record<string, AwsCall> {
  return {
    async 'AWSEvents.PutEvents'(input, caller) {
      const { Entries } = putEvents.parse(input);
      await authorize(caller, 'events:PutEvents', `arn:aws:events:${region}:${LOCAL_ACCOUNT}:event-bus/default`);
      const bytes = Entries.reduce((sum, entry) => sum + Buffer.byteLength(Object.values(entry).join('')), 0);
      if (bytes > MAX_REQUEST_BYTES) throw new AwsApiError('ValidationException', 'The total size is over the limit');
      const events = Entries.map(({ Source, DetailType, Detail }) => {
        const detail = detailSchema.safeParse(jsonOrUndefined(Detail)).data;
        return detail && delivered({ source: Source, detailType: DetailType, detail, region });
      });
      const lines = events.flatMap((event) => (event ? [`${JSON.stringify(event)}\n`] : []));
      // One write, so that the lines of two calls at the same time are not mixed.
      await appendFile(file, lines.join(''));
      return {
        FailedEntryCount: events.length - lines.length,
        Entries: events.map((event) =>
          event ? { EventId: event.id } : { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' },
        ),
      };
    },
  };
}

interface PutEvent {
  readonly source: string;
  readonly detailType: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly region: string;
}

/** @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events.html */
function delivered({ source, detailType, detail, region }: PutEvent) {
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': detailType,
    source,
    account: LOCAL_ACCOUNT,
    time: `${new Date().toISOString().slice(0, 19)}Z`,
    region,
    resources: [],
    detail,
  };
}
