/** Outcomes of simulated mails. */
const NAMED_FATES = ['bounce', 'blocked', 'dropped', 'deferred', 'complaint'] as const;

/**
 * The outcome of a simulated mail: `bounce` (refused for good), `blocked` (refused for now), `dropped` (not tried),
 * `deferred` (deferred, then delivered), `complaint` (delivered, then complained about) or `delivered`.
 */
export type Fate = (typeof NAMED_FATES)[number] | 'delivered';

/**
 * The fate of a mail to `address`: the local part up to a `+`, in any case, names it (`Bounce+42@example.com`);
 * any other mail is delivered.
 */
export function fateOf(address: string): Fate {
  // A quoted local part is the same mailbox (RFC 5321, 4.1.2).
  const localPart = address.slice(0, address.lastIndexOf('@')).replace(/^"/, '');
  const name = localPart.split('+', 1)[0]?.toLowerCase();
  return NAMED_FATES.find((fate) => fate === name) ?? 'delivered';
}
