import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  acceptCustomersMailCloud,
  type CustomersMailCloudCredentials,
} from '../../../../lambda/providers/customers-mail-cloud/webhook.ts';
import { anyJson, anyText, holdsForAll } from '../../mail/property.ts';
import { post, refusalOf } from '../requests.ts';
import { ALL, basic, EMPTY_EVENT, FORM, formPost, JSON_TYPE, jsonPost, NONE } from './requests.ts';

describe('a post is accepted', () => {
  test.each(ALL.apiKeys)('with the api_key %s in a form', (api_key) => {
    expect(acceptCustomersMailCloud(formPost({ api_key, event: '{}' }), ALL)).toEqual([]);
  });

  test.each(ALL.apiKeys)('with the api_key %s in JSON', (api_key) => {
    expect(acceptCustomersMailCloud(jsonPost({ api_key, ...EMPTY_EVENT }), ALL)).toEqual([]);
  });

  test.each(ALL.basic)('with HTTP Basic as $user', ({ user, password }) => {
    const request = jsonPost(EMPTY_EVENT, { authorization: basic(`${user}:${password}`) });
    expect(acceptCustomersMailCloud(request, ALL)).toEqual([]);
  });

  test.each(ALL.bearerTokens)('with the Bearer token %s', (token) => {
    expect(acceptCustomersMailCloud(jsonPost(EMPTY_EVENT, { authorization: `Bearer ${token}` }), ALL)).toEqual([]);
  });

  test.each(['bearer new-token', 'BEARER  new-token', 'Bearer new-token '])(
    'with the scheme in any case: %j',
    (authorization) => {
      expect(acceptCustomersMailCloud(jsonPost(EMPTY_EVENT, { authorization }), ALL)).toEqual([]);
    },
  );

  test('with one right credential among wrong ones', () => {
    const bearer = { authorization: 'Bearer new-token' };
    expect(acceptCustomersMailCloud(jsonPost({ api_key: 'wrong', ...EMPTY_EVENT }, bearer), ALL)).toEqual([]);
    const wrongHeader = { authorization: 'Bearer wrong' };
    expect(acceptCustomersMailCloud(jsonPost({ api_key: 'old-key', ...EMPTY_EVENT }, wrongHeader), ALL)).toEqual([]);
  });

  test('when only one kind of credential is configured', () => {
    const apiKeyOnly = { ...NONE, apiKeys: ['webhook-key'] };
    expect(acceptCustomersMailCloud(jsonPost({ api_key: 'webhook-key', ...EMPTY_EVENT }), apiKeyOnly)).toEqual([]);
    refusalOf(
      () => acceptCustomersMailCloud(jsonPost(EMPTY_EVENT, { authorization: 'Bearer new-token' }), apiKeyOnly),
      401,
    );
  });

  test.each<[string, Partial<CustomersMailCloudCredentials>]>([
    ['a Bearer token', { bearerTokens: ['new-token'] }],
    ['a user', { basic: [{ user: 'hook', password: 'pass' }] }],
  ])('by its api_key if %s is configured, too', (_, others) => {
    const request = jsonPost({ api_key: 'webhook-key', ...EMPTY_EVENT });
    expect(acceptCustomersMailCloud(request, { ...NONE, apiKeys: ['webhook-key'], ...others })).toEqual([]);
  });

  test('with any key that a form can carry', () => {
    holdsForAll(
      anyText.map((key) => `k${key.toWellFormed()}`),
      (api_key) => {
        const credentials = { ...NONE, apiKeys: [api_key] };
        expect(acceptCustomersMailCloud(formPost({ api_key, event: '{}' }), credentials)).toEqual([]);
        expect(acceptCustomersMailCloud(jsonPost({ api_key, event: {} }), credentials)).toEqual([]);
      },
    );
  });
});

describe('a post is refused', () => {
  test.each([
    ['none', {}],
    ['an empty api_key', { api_key: '' }],
    ['another api_key', { api_key: 'wrong' }],
    ['a longer api_key', { api_key: 'webhook-key ' }],
    ['a shorter api_key', { api_key: 'webhook-ke' }],
    ['an api_key in another case', { api_key: 'WEBHOOK-KEY' }],
    ['a Bearer token as api_key', { api_key: 'new-token' }],
    ['a user as api_key', { api_key: 'hook:pass:word ü' }],
  ])('with %s as credential', (_, fields) => {
    refusalOf(() => acceptCustomersMailCloud(formPost({ event: '{}', ...fields }), ALL), 401);
    refusalOf(() => acceptCustomersMailCloud(jsonPost({ ...EMPTY_EVENT, ...fields }), ALL), 401);
  });

  test.each([null, 7, true, {}, ['webhook-key'], [['webhook-key']]])(
    'with an api_key that is not a text: %j',
    (api_key) => {
      refusalOf(() => acceptCustomersMailCloud(jsonPost({ api_key, ...EMPTY_EVENT }), ALL), 401);
    },
  );

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearer wrong',
    'Bearer webhook-key',
    'Bearer new-token new-token',
    'new-token',
    'Token new-token',
    'Basic',
    'Basic new-token',
    basic('hook'),
    basic('hook:'),
    basic('hook:wrong'),
    basic(':pass:word ü'),
    basic('old:pass:word ü'),
    basic('HOOK:pass:word ü'),
    `Basic ${basic('hook:pass:word ü')}`,
    'Basic !!!!',
    '\0',
  ])('with the header Authorization: %s', (authorization) => {
    refusalOf(() => acceptCustomersMailCloud(jsonPost(EMPTY_EVENT, { authorization }), ALL), 401);
  });

  test('when nothing is configured, and the answer says what to set', () => {
    for (const request of [
      jsonPost(EMPTY_EVENT),
      jsonPost({ api_key: '', ...EMPTY_EVENT }),
      formPost({ api_key: 'any' }),
      post(''),
    ]) {
      expect(refusalOf(() => acceptCustomersMailCloud(request, NONE), 503)).toMatch(
        /put an api_key.*customersMailCloud/,
      );
    }
  });

  test.each<[string, CustomersMailCloudCredentials, Record<string, string>, Record<string, string>]>([
    ['api_key', { ...NONE, apiKeys: [''] }, { api_key: '' }, {}],
    ['api_key that is missing', { ...NONE, apiKeys: [''] }, {}, {}],
    ['Bearer token', { ...NONE, bearerTokens: [''] }, {}, { authorization: 'Bearer ' }],
    ['user and password', { ...NONE, basic: [{ user: '', password: '' }] }, {}, { authorization: basic(':') }],
    ['password', { ...NONE, basic: [{ user: 'hook', password: '' }] }, {}, { authorization: basic('hook:') }],
    ['user', { ...NONE, basic: [{ user: '', password: 'pass' }] }, {}, { authorization: basic(':pass') }],
    ['header', { apiKeys: [''], basic: [{ user: '', password: '' }], bearerTokens: [''] }, {}, { authorization: '' }],
  ])('with an empty %s, even if an empty one is configured', (_, credentials, fields, headers) => {
    refusalOf(() => acceptCustomersMailCloud(jsonPost({ ...EMPTY_EVENT, ...fields }, headers), credentials), 503);
    refusalOf(() => acceptCustomersMailCloud(formPost({ event: '{}', ...fields }, headers), credentials), 503);
  });

  test.each([undefined, '', 'text/plain', 'multipart/form-data; boundary=x', 'application/xml'])(
    'of content type %j',
    (type) => {
      const headers = { authorization: 'Bearer new-token', ...(type !== undefined && { 'content-type': type }) };
      refusalOf(() => acceptCustomersMailCloud(post('{}', headers), ALL), 415);
    },
  );

  test.each(['Application/JSON; charset=utf-8', 'application/json'])(
    'but not for parameters of its content type: %s',
    (type) => {
      const request = post('{"event":{}}', { authorization: 'Bearer new-token', 'content-type': type });
      expect(acceptCustomersMailCloud(request, ALL)).toEqual([]);
    },
  );

  test.each(['', '{', 'event=1', '\0', '[1'])('with 400 if its header is right but its JSON is invalid: %j', (body) => {
    const headers = { 'content-type': JSON_TYPE, authorization: 'Bearer new-token' };
    expect(refusalOf(() => acceptCustomersMailCloud(post(body, headers), ALL), 400)).toMatch(
      /the post: it is not JSON$/,
    );
  });

  test.each(['', '{', 'api_key=webhook-key', '{"api_key":"webhook-key"', '"webhook-key"', '["webhook-key"]', 'null'])(
    'with 401 if its JSON has no right key: %j',
    (body) => {
      refusalOf(() => acceptCustomersMailCloud(post(body, { 'content-type': JSON_TYPE }), ALL), 401);
    },
  );

  test.each([undefined, null, 7, [], [{}], 'words', '[]', '"{}"', '{'])(
    'with 400 if its field event is %j',
    (event) => {
      refusalOf(() => acceptCustomersMailCloud(jsonPost({ api_key: 'webhook-key', event }), ALL), 400);
      if (typeof event === 'string') {
        refusalOf(() => acceptCustomersMailCloud(formPost({ api_key: 'webhook-key', event }), ALL), 400);
      }
    },
  );

  test('and the answer says that the field event is not valid JSON', () => {
    const request = formPost({ api_key: 'webhook-key', event: '{' });
    expect(refusalOf(() => acceptCustomersMailCloud(request, ALL), 400)).toMatch(/the field event: it is not JSON$/);
  });

  test('with 413 if it has more than 10,000 entries', () => {
    const entries = (count: number) => jsonPost({ api_key: 'webhook-key', event: { bounces: Array(count).fill({}) } });
    expect(acceptCustomersMailCloud(entries(10_000), ALL)).toHaveLength(10_000);
    refusalOf(() => acceptCustomersMailCloud(entries(10_001), ALL), 413);
    const divided = { bounces: Array(5_001).fill({}), deliveries: Array(5_000).fill({}) };
    refusalOf(() => acceptCustomersMailCloud(jsonPost({ api_key: 'webhook-key', event: divided }), ALL), 413);
  });

  test('and the answer repeats neither a secret nor the post', () => {
    const secrets = [...ALL.apiKeys, ...ALL.bearerTokens, 'old-password', 'sent-secret'];
    const messages = [
      refusalOf(() => acceptCustomersMailCloud(jsonPost({ api_key: 'sent-secret' }), ALL), 401),
      refusalOf(() => acceptCustomersMailCloud(jsonPost({}, { authorization: 'Bearer sent-secret' }), ALL), 401),
      refusalOf(() => acceptCustomersMailCloud(jsonPost({ api_key: 'old-key', event: 'sent-secret' }), ALL), 400),
      refusalOf(() => acceptCustomersMailCloud(post('sent-secret', { 'content-type': 'text/plain' }), ALL), 415),
    ];
    for (const message of messages) for (const secret of secrets) expect(message).not.toContain(secret);
  });

  test('if its credential is wrong, whatever its content', () => {
    holdsForAll(fc.tuple(anyJson, anyText, anyText), ([fields, body, authorization]) => {
      refusalOf(() => acceptCustomersMailCloud(jsonPost(fields, { authorization }), ALL), 401);
      refusalOf(() => acceptCustomersMailCloud(post(body, { 'content-type': FORM, authorization }), ALL), 401);
      refusalOf(() => acceptCustomersMailCloud(post(body, { 'content-type': JSON_TYPE, authorization }), ALL), 401);
    });
  });
});

describe('a post of more than 1 MiB', () => {
  const MIB = 1024 * 1024;
  const largePost = (bytes: number, headers: Record<string, string>) => {
    const empty = JSON.stringify({ api_key: 'webhook-key', ...EMPTY_EVENT, padding: '' });
    const body = JSON.stringify({ api_key: 'webhook-key', ...EMPTY_EVENT, padding: 'x'.repeat(bytes - empty.length) });
    return post(body, { 'content-type': JSON_TYPE, ...headers });
  };

  test('is accepted only with a right Authorization header', () => {
    const right = { authorization: 'Bearer new-token' };
    expect(acceptCustomersMailCloud(largePost(MIB + 1, right), ALL)).toEqual([]);
    expect(acceptCustomersMailCloud(largePost(MIB, {}), ALL)).toEqual([]);
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: basic('hook:wrong') }]) {
      const message = refusalOf(() => acceptCustomersMailCloud(largePost(MIB + 1, headers), ALL), 413);
      expect(message).toContain('without a valid Authorization header');
    }
  });

  test('is refused before it is parsed', () => {
    const unreadable = post('{'.repeat(MIB + 1), { 'content-type': 'no/type' });
    refusalOf(() => acceptCustomersMailCloud(unreadable, ALL), 413);
  });
});

test('an event type of more than 100 characters is refused: each entry would get a copy of it', () => {
  const keyed = (length: number) => jsonPost({ api_key: 'webhook-key', event: { ['x'.repeat(length)]: [{}] } });
  expect(acceptCustomersMailCloud(keyed(100), ALL)).toHaveLength(1);
  refusalOf(() => acceptCustomersMailCloud(keyed(101), ALL), 400);
});
