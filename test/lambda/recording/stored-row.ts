/** Whether DynamoDB takes a row. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { expect } from 'vitest';

/** DynamoDB's limits (Developer Guide, "Quotas"). */
const ITEM_MAX_BYTES = 400 * 1024;
const ATTRIBUTE_NAME_MAX_BYTES = 65_535;
const MAX_LEVELS = 32;

/** The row as the document client sends it: fails where the SDK does, and where DynamoDB would not take it. */
export function expectStorable(row: Readonly<Record<string, unknown>>): void {
  const item = marshall(row, { removeUndefinedValues: true });
  expect(mapBytes(item)).toBeLessThan(ITEM_MAX_BYTES);
  expectWellFormed(item, 0);
}

/** "DynamoDB item sizes and formats": what DynamoDB counts. */
function mapBytes(map: Record<string, AttributeValue>): number {
  return Object.entries(map).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value) + 1, 0);
}

function valueBytes(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  // About a byte for every two significant digits, and one more; a negative number has another.
  if (value.N !== undefined) return Math.ceil(value.N.replace(/e.*|\D/gi, '').length / 2) + 2;
  if (value.L !== undefined) return value.L.reduce((sum, part) => sum + valueBytes(part) + 1, 3);
  if (value.M !== undefined) return mapBytes(value.M) + 3;
  return 1;
}

function expectWellFormed(map: Record<string, AttributeValue>, level: number): void {
  for (const [name, value] of Object.entries(map)) {
    expect(name).not.toBe('');
    expect(name.isWellFormed()).toBe(true);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(ATTRIBUTE_NAME_MAX_BYTES);
    expectWellFormedValue(name, value, level + 1);
  }
}

function expectWellFormedValue(name: string, value: AttributeValue, level: number): void {
  expect(level).toBeLessThanOrEqual(MAX_LEVELS);
  expect(value.S?.isWellFormed() ?? true, `${name} is well-formed`).toBe(true);
  for (const part of value.L ?? []) expectWellFormedValue(name, part, level + 1);
  if (value.M) expectWellFormed(value.M, level);
}
