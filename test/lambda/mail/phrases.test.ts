import { expect, test } from 'vitest';
import { phraseFinder } from '../../../lambda/mail/phrases.ts';
import { COMMON_PHRASES, KNOWN_TEXTS } from '../../../lambda/mail/reply-texts.ts';
import { anyText, holdsForAll } from './property.ts';

test.each<[phrase: string, text: string, found: boolean]>([
  ['user unknown', 'User unknown', true],
  ['user unknown', '<@>: user-unknown.', true],
  ['user unknown', 'user is unknown', false],
  ['user unknown', 'user', false],
  ['user unknown', 'superuser unknown', false],
  ['user unknown', 'the user user unknown here', true],
  ['user|account unknown', 'account unknown', true],
  ['user|account unknown', 'mailbox unknown', false],
  ['user is? unknown', 'user unknown', true],
  ['user is? unknown', 'user is unknown', true],
  ['user is? unknown', 'user was unknown', false],
  ['user * unknown', 'user xyz unknown', true],
  ['user * unknown', 'user unknown', false],
  ['user *? unknown', 'user unknown', true],
  ['user @ unknown', 'user (@) unknown', true],
  ['user unknown ... end of data', 'user unknown (in reply to end of DATA command)', true],
  ['user unknown ... end of data', 'user unknown end of data', true],
  ['user unknown ... end of data', 'end of data: user unknown', false],
  ['user unknown ... end of data', 'user unknown, the end, in reply to end of data', true],
])('%j in %j: %s', (phrase, text, found) => {
  expect(phraseFinder([['zzqq'], [phrase]])(text)).toBe(found ? 1 : -1);
});

test('the first matching group in the table decides, wherever its phrase is in the text', () => {
  const find = phraseFinder([['too many'], ['unknown users', 'users']]);
  expect(find('unknown users, too many')).toBe(0);
  expect(find('users')).toBe(1);
  expect(find('')).toBe(-1);
});

test('a phrase matches only at the start of a word', () => {
  for (const phrase of ['* unknown', 'user? unknown']) {
    expect(() => phraseFinder([[phrase]])).toThrow(`Cannot find the phrase "${phrase}"`);
  }
});

const TABLE = [...KNOWN_TEXTS, ...COMMON_PHRASES];

test('each phrase of the table can be found, and names a source', () => {
  const find = phraseFinder(TABLE.map(({ phrases }) => phrases));
  for (const [index, { phrases, source }] of TABLE.entries()) {
    expect(source).not.toBe('');
    for (const phrase of phrases) {
      expect(phrase).toMatch(/^[a-z0-9@|*?. ]+$/);
      const text = phrase
        .split(' ')
        .map((part) => part.replace('...', 'so').replace('?', '').replace('*', 'xyz').split('|')[0])
        .join(' ');
      const found = find(text);
      // An earlier group may have it, too.
      expect(found).toBeGreaterThanOrEqual(0);
      expect(found).toBeLessThanOrEqual(index);
    }
  }
});

test('any text gives a group or undefined', () => {
  const find = phraseFinder(TABLE.map(({ phrases }) => phrases));
  holdsForAll(anyText, (text) => {
    expect(find(text)).toBeGreaterThanOrEqual(-1);
    expect(find(text)).toBeLessThan(TABLE.length);
  });
});
