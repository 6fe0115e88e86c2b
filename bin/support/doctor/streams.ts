/** Check: the streams and who reads them. */
import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  type EventSourceMappingConfiguration,
  LambdaClient,
  ListEventSourceMappingsCommand,
} from '@aws-sdk/client-lambda';
import { counted } from '../../../local/counted.ts';
import type { Patient } from './patient.ts';
import { type Check, mend, ok, skipped } from './verdict.ts';

const WINDOW_MS = 15 * 60_000;
/** Records may wait this long, such as for a provider that limits the rate. */
const MAX_AGE_MS = 5 * 60_000;

/** Whether the changes of each table come to their function, and in time. */
export function streamCheck({ outputs, dynamo, local }: Patient): Check {
  return {
    name: 'streams',
    look: async () => {
      if (local) return skipped('local mode has no Lambda to ask; `npm run try` shows that its streams work');
      const tables = {
        Mail: outputs.MailTableName,
        SentLog: outputs.SentLogTableName,
        Bounce: outputs.BounceTableName,
      };
      const problems = await streamProblems(tables, {
        dynamo,
        lambda: new LambdaClient(),
        cloudWatch: new CloudWatchClient(),
      });
      return problems.length > 0 ? mend(problems.join('; ')) : ok('enabled, and not behind');
    },
  };
}

export interface StreamClients {
  readonly dynamo: DynamoDBClient;
  readonly lambda: LambdaClient;
  readonly cloudWatch: CloudWatchClient;
}

/** @param tables names by logical id */
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
    return Promise.all(mappings.map((mapping) => mappingProblem(logicalId, mapping, clients.cloudWatch)));
  });
  return (await Promise.all(problems)).flat().filter((problem) => problem !== '');
}

async function mappingProblem(
  table: string,
  { State, LastProcessingResult = '', FunctionArn = '' }: EventSourceMappingConfiguration,
  cloudWatch: CloudWatchClient,
): Promise<string> {
  if (State !== 'Enabled') return `the mapping of ${table} is ${State}: enable it in the Lambda console`;
  if (LastProcessingResult.startsWith('PROBLEM')) return `the mapping of ${table} says ${LastProcessingResult}`;
  const { Datapoints = [] } = await cloudWatch.send(
    new GetMetricStatisticsCommand({
      Namespace: 'AWS/Lambda',
      MetricName: 'IteratorAge',
      Dimensions: [{ Name: 'FunctionName', Value: FunctionArn.split(':')[6] }],
      StartTime: new Date(Date.now() - WINDOW_MS),
      EndTime: new Date(),
      Period: WINDOW_MS / 1000,
      Statistics: ['Maximum'],
    }),
  );
  const ageMs = Math.max(0, ...Datapoints.map(({ Maximum = 0 }) => Maximum));
  if (ageMs <= MAX_AGE_MS) return '';
  return `${table} is ${counted(Math.round(ageMs / 60_000), 'minute')} behind: look at the log of its function`;
}
