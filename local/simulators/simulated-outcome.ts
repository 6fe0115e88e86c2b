/** Decides the outcome of a simulated mail by its recipient. */
const NAMED_OUTCOMES = ['bounce', 'blocked', 'dropped', 'deferred', 'complaint'] as const;

/**
 * The outcome of a simulated mail: `bounce` (refused for good), `blocked` (refused for now), `dropped` (not tried),
 * `deferred` (deferred, then delivered), `complaint` (delivered, then complained about) or `delivered`.
 */
export type SimulatedOutcome = (typeof NAMED_OUTCOMES)[number] | 'delivered';

/**
 * The outcome of a mail to `address`: the local part up to a `+`, in any case, names it (`Bounce+42@example.com`);
 * any other mail is delivered.
 */
export function simulatedOutcome(address: string): SimulatedOutcome {
  // A quoted local part is the same mailbox (RFC 5321, 4.1.2).
  const localPart = address.slice(0, address.lastIndexOf('@')).replace(/^"/, '');
  const name = localPart.split('+', 1)[0]?.toLowerCase();
  return NAMED_OUTCOMES.find((outcome) => outcome === name) ?? 'delivered';
}
