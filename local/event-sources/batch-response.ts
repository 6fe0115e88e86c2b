/** Reads a partial batch response. */
import * as z from 'zod';

const response = z.looseObject({ batchItemFailures: z.array(z.unknown()).nullish() });
const failure = z.object({ itemIdentifier: z.string() });

/**
 * The items that a function which reports failures one by one did not process, by its answer. An answer that names
 * none is success; one that names something else than an item of the batch fails the whole batch, as on AWS.
 *
 * @param ids of the batch: sequence numbers or message ids
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
 */
export function failedItems(payload: unknown, ids: readonly string[]): ReadonlySet<string> {
  const parsed = response.safeParse(payload);
  const failures = parsed.success ? (parsed.data.batchItemFailures ?? []) : [];
  const named = failures.map((item) => failure.safeParse(item).data?.itemIdentifier);
  const known = new Set(ids);
  const failed = named.filter((id) => id !== undefined && known.has(id));
  return new Set(failed.length === named.length ? failed.filter((id) => id !== undefined) : ids);
}
