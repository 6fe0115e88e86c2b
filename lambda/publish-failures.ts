/** Publishes failures on the account's event bus, and joins again what a late write put back. On the stream of Bounce. */
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
