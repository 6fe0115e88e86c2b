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

describe('JSON that is none is refused', () => {
  test.each([['as text', '{'] as const, ['as bytes', Buffer.from('{')] as const])('%s', (_, json) => {
    const refusal = new WebhookRefusal(400, 'Cannot read the post: it is not JSON', { cause: expect.any(SyntaxError) });
    expect(() => parseJson(json, 'the post')).toThrow(refusal);
  });
});
