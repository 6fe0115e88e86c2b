import { describe, expect, test } from 'vitest';
import { parseOptions } from '../../bin/support/options.ts';
import { wholeNumber } from '../../bin/support/whole-number.ts';

const OPTIONS = {
  days: { default: '3', help: '' },
  outputs: { default: '', help: '' },
  'dry-run': { default: false, help: '' },
} as const;
const parse = (...args: string[]) => parseOptions('npm run doctor', OPTIONS, args);

test('options are parsed in every form', () => {
  expect(parse('--days', '5', '--outputs=a b.json', '--dry-run')).toEqual({
    days: '5',
    outputs: 'a b.json',
    'dry-run': true,
  });
  expect(parse('-h')).toEqual({ help: true });
  expect(parse()).toEqual({});
});

test('a negative number is parsed as a value, not as an option', () => {
  expect(parse('--days', '-1')).toEqual({ days: '-1' });
  expect(parse('--days=-1')).toEqual({ days: '-1' });
  expect(parse('--days', '-.5', '--dry-run')).toEqual({ days: '-.5', 'dry-run': true });
});

test.each([
  [['--colour', 'red'], 'Cannot use --colour: there is no such option'],
  [['--colour=red'], 'Cannot use --colour: there is no such option'],
  [['-x'], 'Cannot use -x: there is no such option'],
  [['-1'], 'Cannot use -1: there is no such option'],
  [['now'], 'Cannot use now: options begin with --'],
  [['--days'], 'Cannot use --days without a value: give one, such as 3'],
  [['--days', '--dry-run'], 'Cannot use --days without a value: give one, such as 3'],
  [['--outputs'], 'Cannot use --outputs without a value'],
  [['--dry-run=true'], 'Cannot use --dry-run with a value: it takes none'],
  [['--dry-run', '-1'], 'Cannot use -1: there is no such option'],
  [['--help=all'], 'Cannot use --help with a value: it takes none'],
])('%j is refused with a message of Todoke', (args, words) => {
  expect(() => parse(...args)).toThrow(new Error(`${words}. \`npm run doctor -- --help\` lists the options`));
});

describe('a whole number', () => {
  test.each(['-1', '91', '1.5', '1e1', 'x', '0x5'])('is not %j', (text) => {
    expect(() => wholeNumber('days', text, { max: 90 })).toThrow(
      `Cannot use --days ${text}: it must be a whole number from 0 to 90`,
    );
  });

  test.each(['', ' 5', '９'])('is not %j, which is shown in quotation marks', (text) => {
    expect(() => wholeNumber('days', text, { max: 90 })).toThrow(`Cannot use --days "${text}": it must be a whole`);
  });

  test('has only digits, and is within its bounds', () => {
    expect(['0', '7', '090'].map((text) => wholeNumber('days', text, { max: 90 }))).toEqual([0, 7, 90]);
  });
});
