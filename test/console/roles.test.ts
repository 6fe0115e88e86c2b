import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accessLine, hashOfAddress } from '../../console/server/access-log.ts';
import { teamConsole } from '../../console/server/function.ts';
import { addressOf, rolesOf } from '../../console/server/roles.ts';
import { documentClient } from '../../lambda/aws/dynamodb.ts';
import { functionUrlEvent } from '../../local/webhooks/function-url-event.ts';

const email = 'taro@example.com';
const claims = { sub: '1', email };
const reads = (given: object, ...readers: string[]) => rolesOf({ ...given }, { readers, operators: [] }).has('reader');

describe('access is given to', () => {
  test('nobody if the lists are empty, for any token', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (given) => {
        expect(rolesOf({ ...claims, ...given }, { readers: [], operators: [] }).size).toBe(0);
      }),
    );
  });

  test('an address in any form, and its domain, but no address that only looks similar', () => {
    expect(reads(claims, 'TARO@example.com')).toBe(true);
    expect(reads({ email: 'Taro@EXAMPLE.com' }, email)).toBe(true);
    expect(reads({ email: 'taro@例え.jp' }, '@xn--r8jz45g.jp')).toBe(true);
    for (const other of ['@example.com.evil.test', '@evil-example.com', '@mail.example.com']) {
      expect(reads({ email: `taro${other}` }, email, '@example.com'), other).toBe(false);
    }
    for (const other of ['@example.com', 'x', '', 'a@b@example.com', 'a @example.com', ['taro@example.com'], null, 1]) {
      expect(reads({ email: other }, email, '@example.com'), JSON.stringify(other)).toBe(false);
    }
  });

  test('nobody through an address or domain if the provider says that it is not verified', () => {
    const refuted = fc.jsonValue().filter((value) => ![true, 'true', 1, '1'].some((yes) => yes === value));
    fc.assert(
      fc.property(fc.constantFrom('email_verified', 'xms_edov'), refuted, (name, value) => {
        expect(reads({ ...claims, [name]: value }, email, '@example.com')).toBe(false);
      }),
    );
    for (const value of [true, 'true']) expect(reads({ ...claims, email_verified: value }, email)).toBe(true);
    expect(reads({ ...claims, xms_edov: '1' }, email)).toBe(true);
    // Entra ID has no claim about it.
    expect(reads(claims, email)).toBe(true);
  });

  test('a group only by its whole name, in the claims that providers use for groups', () => {
    const name = fc.string({ minLength: 1 });
    fc.assert(
      fc.property(name, name, fc.constantFrom('groups', 'cognito:groups', 'roles'), (group, other, claim) => {
        expect(reads({ [claim]: [other, group] }, `group:${group}`)).toBe(true);
        if (other !== group) expect(reads({ [claim]: [`${other} ${group}`, other] }, `group:${group}`)).toBe(false);
      }),
    );
    expect(reads({ roles: 'support' }, 'group:support')).toBe(true);
    expect(reads({ groups: [{ support: true }, 1, null] }, 'group:support')).toBe(false);
    expect(reads({ email: 'support' }, 'group:support')).toBe(false);
  });

  test('an operator as a reader, too, but not to a reader as an operator', () => {
    const team = { readers: ['@example.com'], operators: ['group:ops'] };
    expect([...rolesOf(claims, team)]).toEqual(['reader']);
    expect([...rolesOf({ groups: ['ops'] }, team)]).toEqual(['reader', 'operator']);
    expect(rolesOf({ ...claims, groups: ['ops'] }, team).has('engineer')).toBe(false);
  });
});

describe('the function accepts a call only', () => {
  const issuer = 'https://openid.example.com';
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const tokenOf = (change: object) =>
    `${encoded({})}.${encoded({ ...claims, iss: issuer, aud: 'client', ...change })}.c2ln`;
  const token = tokenOf({});
  const lines: string[] = [];
  const serve = teamConsole({
    tables: { client: documentClient(), noNewsHours: 4, mail: 'Mail', sentLog: 'SentLog', bounce: 'Bounce' },
    team: { readers: [email], operators: [] },
    issuer,
    clientId: 'client',
    provider: async () => undefined,
    html: '<html lang="en">',
    files: { '/console-ABCDEFGH.js': { type: 'text/javascript', gzip: '' } },
    accessLogKey: async () => 'key',
  });
  const call = async (change: { headers?: object; verified?: object | null; routeKey?: string } = {}) => {
    const { routeKey = 'POST /api/{call}', verified = { sub: '1', iss: issuer } } = change;
    const headers = { host: 'console.example.com', 'content-type': 'application/json', 'x-todoke-console': '1' };
    const event = functionUrlEvent({
      request: {
        method: 'POST',
        path: '/api/session',
        rawQuery: '',
        headers: Object.entries({ ...headers, authorization: `Bearer ${token}`, ...change.headers }),
        body: Buffer.from('{}'),
        sourceIp: '192.0.2.1',
        protocol: 'HTTP/1.1',
      },
      region: 'ap-northeast-1',
      urlId: 'api',
      now: new Date(0),
    });
    const requestContext = { ...event.requestContext, ...(verified && { authorizer: { jwt: { claims: verified } } }) };
    const answer = await serve({ ...event, routeKey, requestContext, pathParameters: { call: 'session' } });
    lines.push(JSON.stringify(answer));
    return answer.statusCode;
  };

  test('with the one token that the authorizer verified', async () => {
    expect(await call()).toBe(200);
    for (const authorization of [
      '',
      token,
      `Bearer ${token},Bearer ${token}`,
      `Bearer ${token} ${token}`,
      `Bearer ${token}.${token}`,
      `Bearer x, Bearer ${token}`,
      `Bearer ${tokenOf({ sub: '2' })}`,
      `Bearer ${tokenOf({ iss: 'https://openid.example.net' })}`,
      `Bearer ${tokenOf({ aud: 'another' })}`,
      `Bearer ${tokenOf({ aud: undefined })}`,
    ]) {
      expect(await call({ headers: { authorization } }), authorization).toBe(401);
    }
    expect(await call({ headers: { authorization: `Bearer ${tokenOf({ aud: ['another', 'client'] })}` } })).toBe(200);
  });

  test('from the route behind the authorizer, and with the claims that the authorizer verified', async () => {
    expect(await call({ verified: null })).toBe(401);
    expect(await call({ verified: {} })).toBe(401);
    for (const routeKey of ['$default', 'GET /{file}', 'POST /{file}', 'ANY /api/{call}']) {
      expect(await call({ routeKey }), routeKey).toBe(404);
    }
    expect(lines.join()).not.toContain(token);
  });
});

describe('the access log', () => {
  const line = (name: 'search' | 'bounces' | 'mails' | 'resend', body: unknown, status = 200) =>
    accessLine({ name, body, claims, status }, 'key');

  test('has one hash for all forms of an address, a different hash for each address, and never the address', () => {
    const hash = hashOfAddress('hanako@example.jp', 'key');
    for (const text of ['Hanako@EXAMPLE.jp', 'はなこ <hanako@example.jp>', ' hanako@example.jp ']) {
      expect(line('search', { text })).toMatchObject({ searched: hash, user: email, subject: '1' });
    }
    expect(hashOfAddress('hanako@example.jp', 'another key')).not.toBe(hash);
    fc.assert(
      fc.property(fc.emailAddress(), (text) => {
        const written = JSON.stringify(line('search', { text }));
        expect(written).not.toContain(text.toLowerCase());
        expect(line('search', { text })?.['searched']).toBe(hashOfAddress(text, 'key'));
      }),
    );
  });

  test('has no line for reading a list, but a line for each refusal', () => {
    expect(line('mails', {})).toBeUndefined();
    expect(line('bounces', { filter: {} })).toBeUndefined();
    expect(line('bounces', { filter: { search: email } })).toMatchObject({ searched: hashOfAddress(email, 'key') });
    expect(line('mails', {}, 403)).toMatchObject({ call: 'mails', status: 403 });
    expect(line('resend', { id: 'order-1' })).toMatchObject({ call: 'resend', item: 'order-1' });
    expect(line('resend', 'not an object')).toMatchObject({ call: 'resend' });
    expect(addressOf({})).toBeUndefined();
  });
});
