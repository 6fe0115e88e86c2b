/**
 * Disables the guards of the code one by one. The code stays as it is: a proxy changes its requests. A test that
 * passes without a guard does not test that guard.
 */
import type { Rewrite, StorageCall } from './fault-proxy.ts';

type Body = Record<string, unknown>;
type Items = Record<string, { PutRequest?: { Item: Record<string, { S?: string }> } }[]>;
type Reads = Record<string, { Keys: Record<string, { S: string }>[]; ConsistentRead?: boolean }>;

/** The access key id that publish-failures uses. */
export const PUBLISHER = 'publisher';

/** Makes a consistent lookup of log rows find none. */
function blind({ action, body }: StorageCall): Body | undefined {
  const [read] = Object.entries((body['RequestItems'] ?? {}) as Reads);
  if (action !== 'BatchGetItem' || !read?.[1].ConsistentRead) return undefined;
  const [table, { Keys, ...options }] = read;
  const elsewhere = Keys.map((key) => ({ ...key, entry: { S: 'not there' } }));
  return { ...body, RequestItems: { [table]: { ...options, Keys: elsewhere } } };
}

/**
 * For each guard, how a request is changed to disable it.
 *
 * `condition`: the late join writes to the Bounce table unconditionally. `second-read`: the recorder's second,
 * consistent lookup of log rows finds none. `rejoin`: publish-failures finds no log row either. `dedupe`: no two puts
 * have the same key. `claim`: the sender writes to the Mail table unconditionally.
 */
export const WITHOUT = {
  none: () => undefined,

  condition: ({ action, body }) => {
    if (action !== 'UpdateItem' || !String(body['TableName']).includes('Bounce')) return undefined;
    const { ConditionExpression: _, ExpressionAttributeValues: values, ...rest } = body;
    // DynamoDB refuses values that no expression uses.
    const { ':false': __, ...used } = values as Body;
    return { ...rest, ExpressionAttributeValues: used };
  },

  'second-read': (call) => (call.caller === PUBLISHER ? undefined : blind(call)),

  rejoin: (call) => (call.caller === PUBLISHER ? blind(call) : undefined),

  dedupe: ({ action, body, number }) => {
    if (action !== 'BatchWriteItem') return undefined;
    const changed = Object.entries(body['RequestItems'] as Items).map(([table, items]) => [
      table,
      items.map((item) => {
        const row = item.PutRequest?.Item ?? {};
        const name = row['entry'] ? 'entry' : 'eventId';
        return { PutRequest: { Item: { ...row, [name]: { S: `${row[name]?.S}#${number}` } } } };
      }),
    ]);
    return { ...body, RequestItems: Object.fromEntries(changed) };
  },

  claim: ({ action, body }) => {
    if (action !== 'UpdateItem' || !String(body['TableName']).includes('Mail')) return undefined;
    const {
      ConditionExpression: _,
      ExpressionAttributeNames: names,
      ExpressionAttributeValues: values,
      ...rest
    } = body;
    // DynamoDB refuses names and values that no expression uses.
    const words = new Set(String(body['UpdateExpression']).match(/[#:]\w+/g));
    const used = (all: unknown) => Object.fromEntries(Object.entries(all as Body).filter(([word]) => words.has(word)));
    return { ...rest, ExpressionAttributeNames: used(names), ExpressionAttributeValues: used(values) };
  },
} as const satisfies Record<string, Rewrite>;

export type Guard = keyof typeof WITHOUT;

export function isGuard(name: string): name is Guard {
  return Object.hasOwn(WITHOUT, name);
}
