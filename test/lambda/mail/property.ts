/** Property tests with the same examples in every run, and generators for them. */
import fc from 'fast-check';

/** The same examples in every run, so that a failure can be reproduced. */
const SETTINGS = { seed: 20230125, numRuns: 150 };

/** Fails with the smallest value of `arbitrary` for which `assertion` throws. */
export function holdsForAll<Value>(
  arbitrary: fc.Arbitrary<Value>,
  assertion: (value: Value) => void,
  numRuns = SETTINGS.numRuns,
): void {
  fc.assert(
    fc.property(arbitrary, (value) => {
      assertion(value);
    }),
    { ...SETTINGS, numRuns },
  );
}

const codeUnit = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0x1f }) },
  { weight: 1, arbitrary: fc.integer({ min: 0xd800, max: 0xdfff }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }) },
);

/** Any text that JSON can carry, including control characters and lone surrogates. */
export const anyText = fc.string({ unit: codeUnit.map((unit) => String.fromCharCode(unit)) });

/** Any text that UTF-8 can carry. fast-check's unit `binary` would first make a table of all code points, which takes a second. */
export const wellFormedText = fc.string({
  unit: fc
    .oneof(
      { weight: 3, arbitrary: fc.integer({ min: 0, max: 0xd7ff }) },
      { weight: 1, arbitrary: fc.integer({ min: 0xe000, max: 0x10ffff }) },
    )
    .map((point) => String.fromCodePoint(point)),
});

/** Words with a meaning in JavaScript or for the providers. */
const word = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  '0',
  'length',
  'event',
  'email',
);

/** Any value that JSON.parse can return. */
export const anyJson: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -1, 1e300, 5e-324, Number.MAX_SAFE_INTEGER + 1),
    fc.double({ noNaN: true }),
    anyText,
    word,
    fc.array(tie('value'), { maxLength: 5 }),
    // As in JSON.parse, `__proto__` is a name like any other.
    fc
      .array(fc.tuple(fc.oneof(word, anyText), tie('value')), { maxLength: 5 })
      .map((entries) => Object.fromEntries(entries)),
  ),
})).value;
