/** Checks whether DynamoDB accepts a row. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { expect } from 'vitest';

/** DynamoDB's limits (Developer Guide, "Quotas"). */
const ITEM_MAX_BYTES = 400 * 1024;
const ATTRIBUTE_NAME_MAX_BYTES = 65_535;
const MAX_LEVELS = 32;

/** Checks the row as the document client sends it. Fails if the SDK or DynamoDB would refuse it. */
export function expectStorable(row: Readonly<Record<string, unknown>>): void {
  const item = marshall(row, { removeUndefinedValues: true });
  expect(mapBytes(item)).toBeLessThan(ITEM_MAX_BYTES);
  expect([...problemsIn(item, 0)]).toEqual([]);
}

/** The size as DynamoDB counts it, according to "DynamoDB item sizes and formats". */
function mapBytes(map: Record<string, AttributeValue>): number {
  return Object.entries(map).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value) + 1, 0);
}

function valueBytes(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  // About one byte for every two significant digits, plus one, plus one for a negative number.
  if (value.N !== undefined) return Math.ceil(value.N.replace(/e.*|\D/gi, '').length / 2) + 2;
  if (value.L !== undefined) return value.L.reduce((sum, part) => sum + valueBytes(part) + 1, 3);
  if (value.M !== undefined) return mapBytes(value.M) + 3;
  return 1;
}

/** The reasons for which DynamoDB would refuse the row. A generator, because a row may have thousands of values. */
function* problemsIn(map: Record<string, AttributeValue>, level: number): Generator<string> {
  for (const [name, value] of Object.entries(map)) {
    if (name === '') yield 'a name is empty';
    if (!name.isWellFormed()) yield `the name ${name} is not well-formed`;
    if (Buffer.byteLength(name) > ATTRIBUTE_NAME_MAX_BYTES) yield 'a name is too long';
    yield* problemsOf(name, value, level + 1);
  }
}

function* problemsOf(name: string, value: AttributeValue, level: number): Generator<string> {
  if (level > MAX_LEVELS) yield `${name} is too deep`;
  if (value.S?.isWellFormed() === false) yield `the text of ${name} is not well-formed`;
  for (const part of value.L ?? []) yield* problemsOf(name, part, level + 1);
  if (value.M) yield* problemsIn(value.M, level);
}
