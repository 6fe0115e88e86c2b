import { describe, expect, test } from 'vitest';
import { mediaType, parseJson, WebhookRefusal } from '../../../lambda/webhooks/request.ts';

describe("a post's media type", () => {
  test.each([
    ['application/json', 'application/json'],
    [' Application/JSON ; charset=utf-8; boundary=x', 'application/json'],
    [';', ''],
    [undefined, ''],
  ])('of the header %j is %j', (header, type) => {
    const headers = header === undefined ? {} : { 'content-type': header };
    expect(mediaType({ method: 'POST', headers, body: Buffer.alloc(0) })).toBe(type);
  });
});

test('a text that is not JSON is refused', () => {
  const refusal = new WebhookRefusal(400, 'Cannot read the post: it is not JSON', { cause: expect.any(SyntaxError) });
  expect(() => parseJson('{', 'the post')).toThrow(refusal);
});
