import { expect, test } from 'vitest';
import { simulatedOutcome } from '../../../local/simulators/simulated-outcome.ts';

test.each([
  ['bounce@example.com', 'bounce'],
  ['blocked@example.com', 'blocked'],
  ['dropped@example.com', 'dropped'],
  ['deferred@example.com', 'deferred'],
  ['complaint@example.com', 'complaint'],
  ['Bounce+order-42@example.com', 'bounce'],
  ['user@example.com', 'delivered'],
  ['bounced@example.com', 'delivered'],
  ['user+bounce@example.com', 'delivered'],
  ['user@bounce', 'delivered'],
])('%s is %s', (address, outcome) => {
  expect(simulatedOutcome(address)).toBe(outcome);
});
