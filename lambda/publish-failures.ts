/**
 * The function publish-failures: publishes failures on the account's event bus, and joins unmatched rows whose mail is
 * logged by now. Triggered by Bounce's stream.
 */
import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { environmentVariable } from './aws/environment.ts';
import { eventBus } from './aws/event-bus.ts';
import { readChange } from './aws/stream-record.ts';
import { publishFailures } from './publishing/publish-failures.ts';
import { eventStore } from './recording/event-store.ts';

const publisher = {
  store: eventStore(),
  bus: environmentVariable('PUBLISH_FAILURES') === 'on' ? eventBus() : undefined,
  stackName: environmentVariable('STACK_NAME'),
};

export function handler({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> {
  return publishFailures(Records.map(readChange), publisher);
}
