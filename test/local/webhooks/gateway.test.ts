// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how CloudFormation writes variables
import { request as httpRequest } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import { FunctionError, type Invocable, ThrottledError } from '../../../local/functions/local-function.ts';
import { readPermissions } from '../../../local/stack/permissions.ts';
import { functionUrlRoutes } from '../../../local/webhooks/function-url.ts';
import { type Gateway, startGateway } from '../../../local/webhooks/gateway.ts';
import { restApiRoutes } from '../../../local/webhooks/rest-api.ts';
import { whenFinished } from '../../temporary.ts';
import { REGION, resolve } from '../support.ts';

const arnOf = (logicalId: string) => ({ 'Fn::GetAtt': [logicalId, 'Arn'] });
const integration = (logicalId: string) => ({
  Type: 'AWS_PROXY',
  Uri: {
    'Fn::Join': [
      '',
      ['arn:aws:apigateway:ap-northeast-1:lambda:path/2015-03-31/functions/', arnOf(logicalId), '/invocations'],
    ],
  },
});
const method = (resource: unknown, logicalId = 'Receive') => ({
  Type: 'AWS::ApiGateway::Method',
  Properties: {
    AuthorizationType: 'NONE',
    HttpMethod: 'ANY',
    Integration: integration(logicalId),
    ResourceId: resource,
    RestApiId: { Ref: 'Api' },
  },
});
const apiResource = (PathPart: unknown, ParentId: unknown = { 'Fn::GetAtt': ['Api', 'RootResourceId'] }) => ({
  Type: 'AWS::ApiGateway::Resource',
  Properties: { ParentId, PathPart, RestApiId: { Ref: 'Api' } },
});
const functionUrl = (logicalId: string) => ({
  Type: 'AWS::Lambda::Url',
  Properties: { AuthType: 'NONE', TargetFunctionArn: arnOf(logicalId) },
});
const permission = (properties: object) => ({ Type: 'AWS::Lambda::Permission', Properties: properties });

const template = {
  Resources: {
    Receive: { Type: 'AWS::Lambda::Function' },
    Closed: { Type: 'AWS::Lambda::Function' },
    Api: { Type: 'AWS::ApiGateway::RestApi', Properties: { BinaryMediaTypes: ['*/*'] } },
    Stage: { Type: 'AWS::ApiGateway::Stage', Properties: { RestApiId: { Ref: 'Api' }, StageName: 'v1' } },
    Hook: apiResource({ 'Fn::Select': [2, { 'Fn::Split': ['/', { Ref: 'AWS::StackId' }] }] }),
    HookAny: method({ Ref: 'Hook' }),
    Unpermitted: apiResource('unpermitted'),
    UnpermittedAny: method({ Ref: 'Unpermitted' }, 'Closed'),
    ApiMayInvoke: permission({
      Action: 'lambda:InvokeFunction',
      FunctionName: arnOf('Receive'),
      Principal: 'apigateway.amazonaws.com',
      SourceArn: { 'Fn::Sub': 'arn:aws:execute-api:ap-northeast-1:000000000000:${Api}/${Stage}/*/*' },
    }),
    Url: functionUrl('Receive'),
    AnybodyMayUseUrl: permission({
      Action: 'lambda:InvokeFunctionUrl',
      FunctionName: arnOf('Receive'),
      FunctionUrlAuthType: 'NONE',
      Principal: '*',
    }),
    AnybodyMayInvokeByUrl: permission({
      Action: 'lambda:InvokeFunction',
      FunctionName: arnOf('Receive'),
      InvokedViaFunctionUrl: true,
      Principal: '*',
    }),
    ClosedUrl: functionUrl('Closed'),
  },
};
const HOOK = '/v1/11111111-2222-4333-8444-555555555555';
const URL_PATH = '/function-url/Receive';

let gateway: Gateway;
/** What the function does with an event. Each test may set it. */
let handle: (event: unknown) => unknown;
beforeAll(async () => {
  gateway = await startGateway(0, () => undefined);
  whenFinished(() => gateway.stop(0));
  const resolved = resolve(template, { gatewayOrigin: gateway.origin });
  const functions = new Map(
    ['Receive', 'Closed'].map((logicalId): [string, Invocable] => {
      const arn = resolved.attribute(logicalId, 'Arn');
      return [
        arn,
        { logicalId, arn, invoke: async (event) => ({ requestId: 'request', payload: await handle(event) }) },
      ];
    }),
  );
  const permissions = readPermissions(resolved);
  gateway.serve([
    ...restApiRoutes(resolved, REGION, functions, permissions),
    ...functionUrlRoutes(resolved, REGION, functions, permissions),
  ]);
});

/** Posts, and returns the event that the function received. */
async function eventOf(path: string, init: RequestInit): Promise<unknown> {
  let got: unknown;
  handle = (event) => {
    got = JSON.parse(JSON.stringify(event));
    return { statusCode: 204 };
  };
  expect((await fetch(gateway.origin + path, init)).status).toBe(204);
  return got;
}

describe('a REST API', () => {
  test('passes the event of a proxy integration, with the body in base64', async () => {
    const event = await eventOf(HOOK, {
      method: 'POST',
      body: '[{"event":"bounce"}]\r\n',
      headers: { 'Content-Type': 'application/json;charset=utf-8', 'User-Agent': 'SendGrid Event API' },
    });
    expect(event).toMatchObject({
      path: '/11111111-2222-4333-8444-555555555555',
      httpMethod: 'POST',
      body: Buffer.from('[{"event":"bounce"}]\r\n').toString('base64'),
      isBase64Encoded: true,
    });
  });

  test('passes header names as they were sent, with the last value of each', async () => {
    const sent = new Promise((resolve) => {
      handle = (event) => {
        resolve(event);
        return { statusCode: 200 };
      };
    });
    const headers = { 'X-Twilio-Email-Event-Webhook-Timestamp': '1600112502', 'X-Twice': ['1', '2'] };
    httpRequest(gateway.origin + HOOK, { method: 'GET', headers }, (response) => response.resume()).end();
    expect(await sent).toMatchObject({
      httpMethod: 'GET',
      headers: { 'X-Twilio-Email-Event-Webhook-Timestamp': '1600112502', 'X-Twice': '2' },
      body: null,
      isBase64Encoded: false,
    });
  });

  test('is not served if a path is not directly below the stage', () => {
    const NewMail = apiResource('new', { Ref: 'Hook' });
    const NewMailAny = method({ Ref: 'NewMail' });
    const resources = { ...template.Resources, NewMail, NewMailAny };
    const resolved = resolve({ Resources: resources }, { gatewayOrigin: gateway.origin });
    const arn = resolved.attribute('Receive', 'Arn');
    const closed = resolved.attribute('Closed', 'Arn');
    const functions = new Map(
      [arn, closed].map((it): [string, Invocable] => [it, { logicalId: it, arn: it, invoke: fail }]),
    );
    expect(() => restApiRoutes(resolved, REGION, functions, readPermissions(resolved))).toThrow(
      'Cannot serve NewMailAny: its path is not right below the stage',
    );
  });

  test('answers with the result of the function', async () => {
    handle = () => ({
      statusCode: 201,
      headers: { 'Content-Type': 'text/plain' },
      body: Buffer.from('届け').toString('base64'),
      isBase64Encoded: true,
    });
    const response = await fetch(gateway.origin + HOOK, { method: 'POST' });
    expect(response.status).toBe(201);
    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(await response.text()).toBe('届け');
  });

  test.each<[string, string, RequestInit, () => unknown, number, string]>([
    ['an unknown path', '/v1/nothing', {}, () => null, 403, 'Missing Authentication Token'],
    ['an unknown stage', '/v2', {}, () => null, 403, 'Missing Authentication Token'],
    ['a missing permission', '/v1/unpermitted', {}, () => ({ statusCode: 200 }), 500, 'Internal server error'],
    ['a malformed answer', HOOK, {}, () => 'OK', 502, 'Internal server error'],
    ['an answer with unknown fields', HOOK, {}, () => ({ statusCode: 200, status: 200 }), 502, 'Internal server error'],
    ['a failure', HOOK, {}, () => fail(), 502, 'Internal server error'],
    ['too many at once', HOOK, {}, () => throttle(), 500, 'Internal server error'],
    [
      'a body over 10 MB',
      HOOK,
      { method: 'POST', body: 'x'.repeat(10 * 1024 * 1024 + 1) },
      () => null,
      413,
      'Request Too Long',
    ],
    [
      'an event over 6 MB',
      HOOK,
      { method: 'POST', body: 'x'.repeat(5 * 1024 * 1024) },
      () => null,
      413,
      'Request Too Long',
    ],
  ])('answers %s as AWS does', async (_, path, init, does, status, message) => {
    handle = does;
    const response = await fetch(gateway.origin + path, init);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ message });
  });
});

describe('a function URL', () => {
  test('passes payload format 2.0, with a form in base64', async () => {
    const event = await eventOf(`${URL_PATH}/?a=1&a=2`, {
      method: 'POST',
      body: new URLSearchParams({ event_type: 'bounces' }),
      headers: { 'X-Custom': 'Yes', 'User-Agent': 'test' },
    });
    const domainPrefix = 'todoke-url-local';
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: '$default',
      rawPath: '/',
      rawQueryString: 'a=1&a=2',
      headers: { 'x-custom': 'Yes', 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
      requestContext: {
        accountId: 'anonymous',
        apiId: domainPrefix,
        domainName: `${domainPrefix}.lambda-url.ap-northeast-1.on.aws`,
        domainPrefix,
        http: { method: 'POST', path: '/', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' },
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        routeKey: '$default',
        stage: '$default',
        timeEpoch: expect.any(Number),
      },
      body: Buffer.from('event_type=bounces').toString('base64'),
      isBase64Encoded: true,
    });
  });

  test.each([
    ['application/json', false],
    ['application/json; charset=utf-8', false],
    ['application/vnd.api+json', false],
    ['text/plain', false],
    ['application/xml', false],
    ['application/x-www-form-urlencoded', true],
    ['multipart/form-data; boundary=x', true],
    ['application/octet-stream', true],
  ])('passes a body of %s as AWS does', async (contentType, isBase64Encoded) => {
    const event = await eventOf(URL_PATH, { method: 'POST', body: '届け', headers: { 'Content-Type': contentType } });
    const body = isBase64Encoded ? Buffer.from('届け').toString('base64') : '届け';
    expect(event).toMatchObject({ body, isBase64Encoded });
  });

  test('passes no body if there is none', async () => {
    const event = await eventOf(`${URL_PATH}/deeper/path`, {});
    expect(event).toMatchObject({ rawPath: '/deeper/path', rawQueryString: '', isBase64Encoded: false });
    expect(event).not.toHaveProperty('body');
  });

  test.each([
    ['parts of an answer', { statusCode: 400, headers: { 'X-A': 1 }, body: 'no' }, 400, 'no'],
    ['any other value', { received: 1 }, 200, '{"received":1}'],
    ['text', 'hello', 200, 'hello'],
    ['nothing', null, 200, 'null'],
  ])('answers %s', async (_, payload, status, body) => {
    handle = () => payload;
    const response = await fetch(gateway.origin + URL_PATH);
    expect([response.status, await response.text()]).toEqual([status, body]);
    expect(response.headers.get('content-type')).toBe('application/json');
  });

  test.each<[string, string, RequestInit, () => unknown, number]>([
    ['a missing permission', '/function-url/Closed/', {}, () => null, 403],
    ['a failure', URL_PATH, {}, () => fail(), 502],
    ['too many at once', URL_PATH, {}, () => throttle(), 429],
    ['an event over 6 MB', URL_PATH, { method: 'POST', body: 'x'.repeat(6 * 1024 * 1024) }, () => null, 413],
  ])('answers %s as AWS does', async (_, path, init, does, status) => {
    handle = does;
    expect((await fetch(gateway.origin + path, init)).status).toBe(status);
  });
});

test('a request that is not for a webhook goes to the fallback', async () => {
  const withPage = await startGateway(0, () => undefined);
  whenFinished(() => withPage.stop(0));
  expect((await fetch(withPage.origin)).status).toBe(503);
  withPage.serve([], (_, response) => response.end('page'));
  expect(await (await fetch(withPage.origin)).text()).toBe('page');
});

test('the error for a taken port names the port and its purpose', async () => {
  const second = startGateway(gateway.port, () => undefined);
  await expect(second).rejects.toThrow(`Cannot listen on 127.0.0.1:${gateway.port} for the webhooks`);
});

function fail(): never {
  throw new FunctionError({ errorType: 'Error', errorMessage: 'no' }, 'request');
}

function throttle(): never {
  throw new ThrottledError('busy');
}
