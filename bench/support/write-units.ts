/** Write units, computed from item sizes. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { median } from './figure.ts';

interface StorageItem {
  readonly table: string;
  readonly item: Record<string, AttributeValue>;
}

/** The items of all BatchWriteItem requests, with the table that each goes to. */
export function writtenItems(calls: readonly { action: string; body: Record<string, unknown> }[]): StorageItem[] {
  const bodies = calls.filter(({ action }) => action === 'BatchWriteItem').map(({ body }) => body);
  return bodies.flatMap(({ RequestItems }) =>
    Object.entries(RequestItems as Record<string, { PutRequest: { Item: StorageItem['item'] } }[]>).flatMap(
      ([table, puts]) => puts.map(({ PutRequest }) => ({ table, item: PutRequest.Item })),
    ),
  );
}

/**
 * What DynamoDB charges for putting items that were not there before: a unit for each 1,024 bytes begun, once for the
 * table and once for each index that the item is in (Developer Guide, "Item sizes and formats").
 */
export function capacityOf(
  items: readonly StorageItem[],
  tables: { readonly SENT_LOG_TABLE: string; readonly BOUNCE_TABLE: string },
): { readonly units: number; readonly detail: string } {
  const story = items.filter(({ table }) => table === tables.SENT_LOG_TABLE).map(({ item }) => itemBytes(item));
  const bounce = items.filter(({ table }) => table === tables.BOUNCE_TABLE).map(({ item }) => itemBytes(item));
  const units = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + Math.ceil(size / 1024), 0);
  const detail = [
    `a story row of ${median(story)} bytes (at most ${Math.max(...story)}), in the table and whole in the index byRecipient`,
    ...(bounce.length === 0
      ? []
      : [
          `a Bounce row of ${median(bounce)} bytes (at most ${Math.max(...bounce)}), in the table and whole in 2 indexes`,
        ]),
  ];
  return { units: 2 * units(story) + 3 * units(bounce), detail: detail.join(', ') };
}

/** The size of the largest item that was written. */
export function largestItemBytes(calls: Parameters<typeof writtenItems>[0]): number {
  return Math.max(...writtenItems(calls).map(({ item }) => itemBytes(item)));
}

function itemBytes(item: Record<string, AttributeValue>): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);
}

function valueBytes(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  // Two digits a byte, and one more; zeros at both ends do not count.
  if (value.N !== undefined) return Math.ceil(value.N.replace(/\D/g, '').replace(/^0+|0+$/g, '').length / 2) + 1;
  if (value.M !== undefined) return 3 + Object.keys(value.M).length + itemBytes(value.M);
  if (value.L !== undefined) return 3 + value.L.reduce((sum, part) => sum + 1 + valueBytes(part), 0);
  return 1;
}
