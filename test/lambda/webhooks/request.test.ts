import type { APIGatewayProxyEvent, LambdaFunctionURLEvent } from 'aws-lambda';
import { describe, expect, test } from 'vitest';
import { mediaType, parseJson, WebhookRefusal, webhookRequest } from '../../../lambda/webhooks/request.ts';

describe('the request in an event', () => {
  // Only the properties that the receivers read. Local mode makes complete events.
  const ofApiGateway = (event: Partial<APIGatewayProxyEvent>) =>
    webhookRequest({
      httpMethod: 'POST',
      headers: {},
      body: null,
      isBase64Encoded: false,
      ...event,
    } as APIGatewayProxyEvent);
  const ofFunctionUrl = (event: object) =>
    webhookRequest({
      headers: {},
      isBase64Encoded: false,
      requestContext: { http: { method: 'PUT' } },
      ...event,
    } as LambdaFunctionURLEvent);

  test('has the method, from API Gateway and from a function URL', () => {
    expect(ofApiGateway({}).method).toBe('POST');
    expect(ofFunctionUrl({}).method).toBe('PUT');
  });

  test('has the names of its headers in lower case, and no header without a value', () => {
    const headers = { 'X-Signature': 'MEUC', Host: undefined, 'content-type': 'Text/Plain' };
    expect(ofApiGateway({ headers }).headers).toEqual({ 'x-signature': 'MEUC', 'content-type': 'Text/Plain' });
    expect(Object.keys(ofApiGateway({ headers }).headers)).toHaveLength(2);
    expect(ofFunctionUrl({ headers: undefined }).headers).toEqual({});
  });

  test('has the bytes of the body, as text or as base64', () => {
    expect(ofApiGateway({ body: '[]あ' }).body).toEqual(Buffer.from('[]あ'));
    expect(ofFunctionUrl({ body: 'W//+', isBase64Encoded: true }).body).toEqual(Buffer.from([0x5b, 0xff, 0xfe]));
    expect(ofApiGateway({}).body).toEqual(Buffer.alloc(0));
    expect(ofFunctionUrl({}).body).toEqual(Buffer.alloc(0));
  });
});

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
