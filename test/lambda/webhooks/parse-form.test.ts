import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseForm } from '../../../lambda/webhooks/request.ts';
import { holdsForAll, wellFormedText } from '../mail/property.ts';

function expectSameFields(form: string): void {
  expect(Object.entries(parseForm(form))).toEqual(Object.entries(Object.fromEntries(new URLSearchParams(form))));
}

test('a form that was written by URLSearchParams is read as it reads it', () => {
  holdsForAll(fc.array(fc.tuple(wellFormedText, wellFormedText), { maxLength: 5 }), (pairs) => {
    expectSameFields(new URLSearchParams(pairs).toString());
  });
});

test.each(['', 'a', 'a=', '=1', 'a=1&a=2', 'a=1=2', 'a+b=c+d', 'a=%', 'a=%zz', 'a=%E3%81', 'a=%FF&b=1'])(
  '%j is read as URLSearchParams reads it',
  expectSameFields,
);

test('whatever else comes as a form, too: stray signs, broken escapes, bytes that are no UTF-8', () => {
  const part = fc.constantFrom('a', 'event', '=', '&', '+', '%', '%2', '%2B', '%E3%81', '%E3%81%94', '%FF', '%zz');
  holdsForAll(fc.array(fc.oneof(part, wellFormedText), { maxLength: 12 }), (parts) => {
    // URLSearchParams takes a question mark at the front for that of a URL.
    expectSameFields(parts.join('').replace(/^\?/, ''));
  });
});
