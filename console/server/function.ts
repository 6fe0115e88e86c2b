/** The console for a team: answers the requests of the HTTP API. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import * as z from 'zod/mini';
import { errorFields, errorName, log } from '../../lambda/aws/log.ts';
import type { Tables } from '../../lambda/recipients/tables.ts';
import type { CallName, Session, SignIn } from '../shared/api.ts';
import { accessLine } from './access-log.ts';
import { callNamed, refuseWithoutRole, teamCalls } from './calls.ts';
import { parseCall, Refused, refuseOtherSites, securityHeaders } from './refused.ts';
import { type Claims, rolesOf, type Team } from './roles.ts';

/** The files of the page by path, compressed by gzip, in base64. */
export type PackedFiles = Readonly<Record<string, { readonly type: string; readonly gzip: string }>>;

export interface TeamConsole {
  readonly tables: Tables;
  readonly team: Team;
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined while the provider cannot be reached. */
  readonly provider: () => Promise<SignIn | undefined>;
  /** The HTML of the page. Its root element gets an attribute with what the sign-in needs. */
  readonly html: string;
  readonly files: PackedFiles;
  readonly accessLogKey: () => Promise<string>;
}

type Answer = APIGatewayProxyStructuredResultV2;

/** The route with the authorizer. Only this route gives access to data. */
const CALL_ROUTE = 'POST /api/{call}';

/** How long browsers use only HTTPS here, and cache files whose names have a hash. */
const YEAR_S = 31_536_000;
const HSTS = { 'Strict-Transport-Security': `max-age=${YEAR_S}` };

/** Answers requests for the page from everybody, and calls from the members of the lists. */
export function teamConsole(options: TeamConsole): (event: APIGatewayProxyEventV2) => Promise<Answer> {
  return async (event) => {
    try {
      return event.routeKey === CALL_ROUTE
        ? await answerCall(event, options)
        : await answerPage(event.rawPath, options);
    } catch (error) {
      if (error instanceof Refused) return json(error.status, { error: error.message });
      log('error', 'Cannot answer the console', { route: event.routeKey, ...errorFields(error) });
      return json(500, { error: errorName(error) });
    }
  };
}

async function answerPage(path: string, { html, files, provider }: TeamConsole): Promise<Answer> {
  if (path !== '/') {
    const file = Object.hasOwn(files, path) ? files[path] : undefined;
    if (file === undefined) throw new Refused(404, 'Cannot show this: there is no such page');
    const caching = /-[A-Z0-9]{8}\./.test(path) ? `public, max-age=${YEAR_S}, immutable` : 'public, max-age=86400';
    return {
      statusCode: 200,
      headers: {
        ...securityHeaders(),
        ...HSTS,
        'Content-Type': file.type,
        'Content-Encoding': 'gzip',
        'Cache-Control': caching,
      },
      body: file.gzip,
      isBase64Encoded: true,
    };
  }
  const signIn = await provider();
  const originOf = (url: string | undefined) => (url === undefined ? undefined : new URL(url).origin);
  const outside = { connect: originOf(signIn?.tokenEndpoint), form: originOf(signIn?.endSessionEndpoint) };
  const headers = { ...securityHeaders(outside), ...HSTS, 'Content-Type': 'text/html; charset=utf-8' };
  return { statusCode: 200, headers, body: html.replace('<html ', `<html data-sign-in="${attribute(signIn)}" `) };
}

const attribute = (value: unknown) =>
  JSON.stringify(value ?? null).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

async function answerCall(event: APIGatewayProxyEventV2, options: TeamConsole): Promise<Answer> {
  const claims = claimsOf(event, options);
  const { headers } = event;
  refuseOtherSites(headers);
  const { origin, host } = headers;
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
    throw new Refused(403, 'Cannot answer: the request comes from another site');
  }
  const name = callNamed(event.pathParameters?.['call'] ?? '');
  if (name === undefined) throw new Refused(404, 'Cannot answer: there is no such call');
  const body = parseCall(Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8').toString());
  const key = await options.accessLogKey();
  const logAs = (status: number) => {
    const line = accessLine({ name, body, claims, status }, key);
    if (line) log('info', 'console', line);
  };
  try {
    const answer = await answerAs(claims, name, body, options);
    logAs(200);
    return json(200, answer);
  } catch (error) {
    logAs(error instanceof Refused ? error.status : 500);
    throw error;
  }
}

async function answerAs(
  claims: Claims,
  name: CallName,
  body: unknown,
  { tables, team }: TeamConsole,
): Promise<unknown> {
  const roles = rolesOf(claims, team);
  refuseWithoutRole(
    name,
    roles,
    roles.size === 0 ? 'you are on no list of this console' : 'only operators may do this',
  );
  const { mail, sentLog, bounce } = tables;
  const session = (): Session => ({
    mode: 'team',
    canSend: false,
    canOperate: roles.has('operator'),
    canTry: false,
    tables: { mail, sentLog, bounce },
  });
  const handle = teamCalls(tables, session).get(name);
  if (handle === undefined) throw new Refused(403, `Cannot answer ${name}: it is not for a deployed console`);
  return handle(body);
}

/**
 * The claims of the token that the authorizer has verified. They are read from the token itself, because the authorizer
 * passes on a list as a text with spaces between its parts: a group's name may contain spaces, too.
 *
 * @throws Refused 401
 */
function claimsOf(event: APIGatewayProxyEventV2, { issuer, clientId }: TeamConsole): Claims {
  const verified = verifiedClaims(event);
  // The header must have exactly one token, so that this one is the verified one.
  const payload = /^Bearer [\w-]+\.([\w-]+)\.[\w-]+$/i.exec(event.headers['authorization'] ?? '')?.[1];
  const refuse = (why: string): never => {
    throw new Refused(401, `Cannot answer: ${why}`);
  };
  if (verified === undefined || payload === undefined) return refuse('nobody is signed in');
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  if (typeof claims !== 'object' || claims === null) return refuse('the token has no claims');
  const own: Claims = { ...claims };
  if (own['sub'] !== verified['sub'] || own['iss'] !== issuer) return refuse('the token is of another issuer');
  const audience = own['aud'];
  const isOurs = Array.isArray(audience) ? audience.includes(clientId) : audience === clientId;
  return isOurs ? own : refuse('the token is of another client');
}

const authorizer = z.object({ jwt: z.object({ claims: z.record(z.string(), z.unknown()) }) });

function verifiedClaims({ requestContext }: APIGatewayProxyEventV2): Claims | undefined {
  return authorizer.safeParse('authorizer' in requestContext ? requestContext.authorizer : undefined).data?.jwt.claims;
}

const json = (statusCode: number, body: unknown): Answer => ({
  statusCode,
  headers: { ...securityHeaders(), ...HSTS, 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
});
