import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainNumber } from '../../../local/event-sources/plain-number.ts';

// What DynamoDB returns for what was written.
test.each([
  ['0', '0'],
  ['-0', '0'],
  ['0.0', '0'],
  ['00042', '42'],
  ['+7', '7'],
  ['1.0', '1'],
  ['-1.50', '-1.5'],
  ['.5', '0.5'],
  ['5.', '5'],
  ['1.5E2', '150'],
  ['1e-3', '0.001'],
  ['12.34e-4', '0.001234'],
  ['12.34e+1', '123.4'],
  ['123456789012345678901234567890.12345678', '123456789012345678901234567890.12345678'],
  ['1E+30', '1000000000000000000000000000000'],
])('%s is returned as %s', (written, given) => {
  expect(plainNumber(written)).toBe(given);
});

test('text that is not a number is not changed', () => {
  for (const text of ['', '-', 'NaN', 'one', '1e', '.']) expect(plainNumber(text)).toBe(text);
});

test('the plain form has the same value, and does not change again', () => {
  const number = fc
    .tuple(fc.constantFrom('', '-', '+'), fc.nat(), fc.nat(), fc.integer({ min: -20, max: 20 }))
    .map(([sign, whole, fraction, exponent]) => `${sign}${whole}.${fraction}e${exponent}`);
  fc.assert(
    fc.property(number, (text) => {
      const plain = plainNumber(text);
      expect(plain).toMatch(/^(0|-?(0|[1-9]\d*)(\.\d*[1-9])?)$/);
      expect(Number(plain)).toBe(Number(text) + 0);
      expect(plainNumber(plain)).toBe(plain);
    }),
    { seed: 1 },
  );
});
