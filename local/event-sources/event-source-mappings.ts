/** Runs the template's event source mappings. */
import { setMaxListeners } from 'node:events';
import type { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import type { Authorize } from '../access.ts';
import type { DataFolder } from '../data-folder.ts';
import type { LocalTable } from '../database/create-tables.ts';
import { messageOf } from '../files.ts';
import type { Invocable } from '../functions/local-function.ts';
import type { ResolvedTemplate } from '../stack/template.ts';
import { type MappingProperties, type MappingTiming, mappingProperties } from './mapping-settings.ts';
import type { LocalQueue } from './queue.ts';
import { runQueueMapping } from './queue-mapping.ts';
import { runStreamMapping } from './stream-mapping.ts';

interface EventSourceMappingsOptions {
  readonly template: ResolvedTemplate;
  readonly region: string;
  readonly folder: DataFolder;
  readonly streamsAs: (caller: string) => DynamoDBStreamsClient;
  readonly tables: readonly LocalTable[];
  readonly queues: ReadonlyMap<string, LocalQueue>;
  /** By ARN. */
  readonly functions: ReadonlyMap<string, Invocable>;
  readonly timing: MappingTiming;
  readonly authorize: Authorize;
  readonly report: (line: string) => void;
}

/** The running event source mappings. */
interface EventSourceMappings {
  /**
   * Delivers nothing more, and resolves when what runs is finished and its checkpoints are on disk.
   *
   * @param abandon called if that takes longer than `graceMs`; it must end the functions
   */
  stop(graceMs: number, abandon: () => void): Promise<void>;
}

/**
 * Starts to deliver the streams and queues of the template to its functions.
 *
 * @throws Error if a mapping names something that is not in the stack.
 */
export function startEventSourceMappings(options: EventSourceMappingsOptions): EventSourceMappings {
  const stopping = new AbortController();
  // Each mapping adds several listeners, and Node warns of a leak from the eleventh on.
  setMaxListeners(0, stopping.signal);
  const mappings = options.template.resources('AWS::Lambda::EventSourceMapping', mappingProperties);
  const runs = Array.from(mappings, ([logicalId, properties]) =>
    runOf(logicalId, properties, options, stopping.signal),
  );
  const running = runs.map((run) =>
    run().catch((error: unknown) => options.report(`Cannot go on with an event source mapping: ${messageOf(error)}`)),
  );
  return {
    async stop(graceMs, abandon) {
      stopping.abort();
      const timer = setTimeout(abandon, graceMs);
      await Promise.all(running);
      clearTimeout(timer);
    },
  };
}

/** Looks up what a mapping connects, so that errors come before any mapping starts. @returns a function that runs it */
function runOf(
  logicalId: string,
  properties: MappingProperties,
  options: EventSourceMappingsOptions,
  signal: AbortSignal,
): () => Promise<void> {
  const { template, region, folder, streamsAs, tables, queues, timing, report } = options;
  const { EventSourceArn, FunctionName, DestinationConfig } = properties;
  const find = <T>(what: string, found: T | undefined): T => {
    if (found === undefined)
      throw new Error(`Cannot run the event source mapping ${logicalId}: the stack has no ${what}`);
    return found;
  };
  const isTarget = ({ arn }: Invocable) => arn === FunctionName || arn.endsWith(`:function:${FunctionName}`);
  const target = find(FunctionName, [...options.functions.values()].find(isTarget));
  const queueOf = (arn: string) => [...queues.values()].find((queue) => queue.arn === arn);
  // Lambda works for a mapping with the permissions of its function.
  const authorize = (action: string, resourceArn: string) => options.authorize(target.logicalId, action, resourceArn);
  const common = { properties, target, region, signal, report };

  const queue = queueOf(EventSourceArn);
  if (queue !== undefined) return () => runQueueMapping({ ...common, queue, authorize });

  const isSource = (table: LocalTable) =>
    table.streamArn !== undefined && template.attribute(table.logicalId, 'StreamArn') === EventSourceArn;
  const engineStreamArn = find(EventSourceArn, tables.find(isSource)?.streamArn);
  const failureArn = DestinationConfig.OnFailure?.Destination;
  const failures = failureArn === undefined ? undefined : find(failureArn, queueOf(failureArn));
  return () =>
    runStreamMapping({
      ...common,
      timing,
      client: streamsAs(target.logicalId),
      engineStreamArn,
      checkpointFile: folder.path('checkpoints', `${logicalId}.json`),
      onFailure:
        failures &&
        (async (document) => {
          await authorize('sqs:SendMessage', failures.arn);
          await failures.send(document);
        }),
    });
}
