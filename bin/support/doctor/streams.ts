/** Check: whether the stream of each table has an enabled reader. */
import { DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  type EventSourceMappingConfiguration,
  LambdaClient,
  ListEventSourceMappingsCommand,
} from '@aws-sdk/client-lambda';
import type { DoctorContext } from './context.ts';
import { type Check, fix, ok, skipped } from './verdict.ts';

export function streamCheck({ outputs, dynamo, local }: DoctorContext): Check {
  return {
    name: 'streams',
    look: async () => {
      if (local) return skipped('local mode has no Lambda API; `npm run try` shows that its streams work');
      const tables = {
        Mail: outputs.MailTableName,
        SentLog: outputs.SentLogTableName,
        Bounce: outputs.BounceTableName,
      };
      const problems = await streamProblems(tables, {
        dynamo,
        lambda: new LambdaClient(),
      });
      return problems.length > 0 ? fix(problems.join('; ')) : ok('each stream has a reader that is enabled');
    },
  };
}

export interface StreamClients {
  readonly dynamo: DynamoDBClient;
  readonly lambda: LambdaClient;
}

/** @param tables the tables' names by logical id */
export async function streamProblems(
  tables: Readonly<Record<string, string>>,
  clients: StreamClients,
): Promise<string[]> {
  const problems = Object.entries(tables).map(async ([logicalId, TableName]) => {
    const { Table } = await clients.dynamo.send(new DescribeTableCommand({ TableName }));
    if (Table?.LatestStreamArn === undefined) return [`${logicalId} has no stream: deploy again`];
    const { EventSourceMappings: mappings = [] } = await clients.lambda.send(
      new ListEventSourceMappingsCommand({ EventSourceArn: Table.LatestStreamArn }),
    );
    if (mappings.length === 0) return [`nothing reads the stream of ${logicalId}: deploy again`];
    return mappings.map((mapping) => mappingProblem(logicalId, mapping));
  });
  return (await Promise.all(problems)).flat().filter((problem) => problem !== '');
}

/** `""` if the mapping works. Whether it is late is not checked here: the alarm LateStreams says so. */
function mappingProblem(table: string, mapping: EventSourceMappingConfiguration): string {
  const { State, LastProcessingResult = '' } = mapping;
  if (State !== 'Enabled') return `the event source mapping of ${table} is ${State}: enable it in the Lambda console`;
  return LastProcessingResult.startsWith('PROBLEM')
    ? `the event source mapping of ${table} reports ${LastProcessingResult}`
    : '';
}
