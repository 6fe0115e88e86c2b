/** Checks: the tables, as they were deployed. */
import {
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import type { Patient } from './patient.ts';
import { type Check, mend, ok } from './verdict.ts';

/** What docs/design.md says of a table. */
interface Expected {
  readonly name: string;
  readonly key: string;
  /** By name, the key. */
  readonly indexes: Readonly<Record<string, string>>;
  readonly stream: string;
}

/** A line for each table: its key, its indexes, its stream, and what protects what is in it. */
export function tableChecks({ outputs, dynamo, local }: Patient): Check[] {
  const tables: Record<string, Expected> = {
    Mail: { name: outputs.MailTableName, key: 'id', indexes: {}, stream: 'NEW_IMAGE' },
    SentLog: {
      name: outputs.SentLogTableName,
      key: 'messageId+entry',
      indexes: { byDay: 'day+sentAt', byRecipient: 'recipient+entry' },
      stream: 'NEW_IMAGE',
    },
    Bounce: {
      name: outputs.BounceTableName,
      key: 'fullMessageId+eventId',
      indexes: { byRecipient: 'toEmail+occurredAt', byDay: 'day+occurredAt' },
      stream: 'NEW_AND_OLD_IMAGES',
    },
  };
  return Object.entries(tables).map(([logicalId, expected]) => ({
    name: `table ${logicalId}`,
    look: async () => {
      const TableName = expected.name;
      const { Table: table = {} } = await dynamo.send(new DescribeTableCommand({ TableName }));
      const ttl = await dynamo.send(new DescribeTimeToLiveCommand({ TableName }));
      const unlike = structureProblems(table, expected);
      const off = protectionProblems(table, local);
      const { TimeToLiveStatus, AttributeName } = ttl.TimeToLiveDescription ?? {};
      if (TimeToLiveStatus !== 'ENABLED' || AttributeName !== 'expiresAt') off.push('TTL on expiresAt is off');
      if (!local) {
        const { ContinuousBackupsDescription: backups } = await dynamo.send(
          new DescribeContinuousBackupsCommand({ TableName }),
        );
        const status = backups?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus;
        if (status !== 'ENABLED') off.push('point-in-time recovery is off');
      }
      if (unlike.length + off.length > 0) {
        const remedy = '. Turn it on again in the DynamoDB console, or by `npx cdk deploy --revert-drift`';
        return mend(`${TableName}: ${[...unlike, ...off].join('; ')}${off.length > 0 ? remedy : ''}`);
      }
      return ok(`${TableName}${local ? ' (no point-in-time recovery in local mode: not looked at)' : ''}`);
    },
  }));
}

function structureProblems(table: TableDescription, expected: Expected): string[] {
  const unlike: string[] = [];
  if (table.TableStatus !== 'ACTIVE') unlike.push(`it is ${table.TableStatus}`);
  if (keyOf(table.KeySchema) !== expected.key) unlike.push(`its key is ${keyOf(table.KeySchema)}, not ${expected.key}`);
  for (const [name, key] of Object.entries(expected.indexes)) {
    const index = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === name);
    if (index === undefined) unlike.push(`the index ${name} is missing`);
    else if (index.IndexStatus !== 'ACTIVE') unlike.push(`the index ${name} is ${index.IndexStatus}`);
    else if (keyOf(index.KeySchema) !== key) unlike.push(`the key of the index ${name} is ${keyOf(index.KeySchema)}`);
  }
  const stream = table.StreamSpecification?.StreamEnabled ? table.StreamSpecification.StreamViewType : undefined;
  if (stream !== expected.stream) unlike.push(`its stream is ${stream ?? 'off'}, not ${expected.stream}`);
  return unlike;
}

/** Another engine than AWS's may not know of these at all. */
function protectionProblems(table: TableDescription, local: boolean): string[] {
  const { SSEDescription: encryption, DeletionProtectionEnabled: isProtected } = table;
  const unlike: string[] = [];
  if (!(local && encryption === undefined) && encryption?.SSEType !== 'KMS')
    unlike.push('no key of its own encrypts it');
  if (!(local && isProtected === undefined) && !isProtected) unlike.push('deletion protection is off');
  return unlike;
}

const keyOf = (keys: TableDescription['KeySchema']): string =>
  keys?.map(({ AttributeName }) => AttributeName).join('+') ?? '';
