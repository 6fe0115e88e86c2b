import { describe, expect, test } from 'vitest';
import { eventFilter } from '../../../local/event-sources/event-filter.ts';

const insert = (newImage: object) => ({ eventName: 'INSERT', dynamodb: { NewImage: newImage } });
const waiting = [{ exists: false }, ''].map((status) =>
  JSON.stringify({
    eventName: ['INSERT', 'MODIFY'],
    dynamodb: { NewImage: { id: { S: [{ exists: true }] }, status: { S: [status] } } },
  }),
);

describe('the filters for items that wait to be sent', () => {
  test.each([
    ['an inserted item without status', insert({ id: { S: 'a' } }), true],
    ['an edited item without status', { ...insert({ id: { S: 'a' } }), eventName: 'MODIFY' }, true],
    ['an item with a status', insert({ id: { S: 'a' }, status: { S: 'sent' } }), false],
    ['a status of another type, which has no leaf S', insert({ id: { S: 'a' }, status: { NULL: true } }), true],
    ['a status that was emptied', insert({ id: { S: 'a' }, status: { S: '' } }), true],
    ['a removed item', { eventName: 'REMOVE', dynamodb: { OldImage: { id: { S: 'a' } } } }, false],
    ['a record without an image', { eventName: 'MODIFY', dynamodb: {} }, false],
  ])('%s', (_, record, passes) => {
    expect(eventFilter(waiting)(record)).toBe(passes);
  });
});

describe('conditions', () => {
  test.each([
    ['an exact value', { a: ['x'] }, { a: 'x' }, true],
    ['another value', { a: ['x'] }, { a: 'y' }, false],
    ['one of several values', { a: ['x', 'y'] }, { a: 'y' }, true],
    ['a number is different from its text', { a: [1] }, { a: '1' }, false],
    ['null', { a: [null] }, { a: null }, true],
    ['null is different from a missing field', { a: [null] }, {}, false],
    ['all fields must match', { a: ['x'], b: ['y'] }, { a: 'x' }, false],
    ['a list in the record matches by one item', { a: ['x'] }, { a: ['w', 'x'] }, true],
    ['exists', { a: [{ exists: true }] }, { a: '' }, true],
    ['exists checks leaves only', { a: [{ exists: true }] }, { a: { S: 'x' } }, false],
    ['so that a map does not count as existing', { a: [{ exists: false }] }, { a: { S: 'x' } }, true],
  ])('%s', (_, pattern, record, passes) => {
    expect(eventFilter([JSON.stringify(pattern)])(record)).toBe(passes);
  });
});

test('a match with one of several patterns is enough, and without a pattern everything passes', () => {
  expect(eventFilter(['{"a":["x"]}', '{"a":["y"]}'])({ a: 'y' })).toBe(true);
  expect(eventFilter([])({})).toBe(true);
});

test('an unknown pattern is an error, not a filter that everything passes', () => {
  expect(() => eventFilter(['{"a":[{"cidr":"10.0.0.0/8"}]}'])).toThrow('Cannot use the event filter {"a":[{"cidr"');
});

test('a pattern that is not JSON is an error that quotes it', () => {
  expect(() => eventFilter(['{"a":'])).toThrow('Cannot use the event filter {"a":');
});
