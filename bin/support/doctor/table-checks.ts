/** Checks: whether the tables have the keys, indexes and streams that this version needs. */
import { DescribeTableCommand, type TableDescription } from '@aws-sdk/client-dynamodb';
import type { DoctorContext } from './context.ts';
import { type Check, fix, ok } from './verdict.ts';

/** What docs/design.md says of a table. */
interface Expected {
  readonly name: string;
  readonly key: string;
  /** Each index's key, by the index's name. */
  readonly indexes: Readonly<Record<string, string>>;
  readonly stream: string;
}

/**
 * One check per table. A difference shows that the deployed stack is of another version. `npx cdk drift` shows what
 * somebody changed by hand.
 */
export function tableChecks({ outputs, dynamo }: DoctorContext): Check[] {
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
      const unlike = structureProblems(table, expected);
      return unlike.length > 0 ? fix(`${TableName}: ${unlike.join('; ')}`) : ok(TableName);
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

const keyOf = (keys: TableDescription['KeySchema']): string =>
  keys?.map(({ AttributeName }) => AttributeName).join('+') ?? '';
