/** Makes the expressions of conditional updates, and recognizes a condition that was false. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';

interface Update {
  /** New values; undefined ones are left as they are. */
  readonly set: Readonly<Record<string, unknown>>;
  readonly remove?: readonly string[];
  /** Numbers to add to attributes. A missing attribute counts as 0. */
  readonly add?: Readonly<Record<string, number>>;
  /** Has attribute names as `#name`, and values as `:name`. */
  readonly condition: string;
  /** The attribute names in the condition. */
  readonly names: readonly string[];
  /** The values in the condition, by name. */
  readonly values?: Readonly<Record<string, unknown>>;
}

/**
 * The expressions of a conditional UpdateItem. Every attribute is written `#name`, because many names of attributes are
 * reserved words of DynamoDB.
 */
export function updateExpression({ set, remove = [], add = {}, condition, names, values = {} }: Update) {
  const assigned = Object.entries(set).filter(([, value]) => value !== undefined);
  const assignments = assigned.map(([name]) => `#${name} = :set_${name}`);
  const additions = Object.keys(add).map((name) => `#${name} :add_${name}`);
  const removals = remove.map((name) => `#${name}`);
  return {
    UpdateExpression: [
      assignments.length > 0 && `SET ${assignments.join(', ')}`,
      removals.length > 0 && `REMOVE ${removals.join(', ')}`,
      additions.length > 0 && `ADD ${additions.join(', ')}`,
    ]
      .filter(Boolean)
      .join(' '),
    ConditionExpression: condition,
    ExpressionAttributeNames: Object.fromEntries(
      [...assigned.map(([name]) => name), ...remove, ...Object.keys(add), ...names].map((name) => [`#${name}`, name]),
    ),
    ExpressionAttributeValues: Object.fromEntries([
      ...assigned.map(([name, value]) => [`:set_${name}`, value]),
      ...Object.entries(add).map(([name, value]) => [`:add_${name}`, value]),
      ...Object.entries(values).map(([name, value]) => [`:${name}`, value]),
    ]),
  };
}

/** Whether the condition of an update was false. */
export function isConditionFailure(error: unknown): error is ConditionalCheckFailedException {
  return error instanceof ConditionalCheckFailedException;
}
