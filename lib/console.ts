/**
 * The construct of the console for a team: an HTTP API that verifies the tokens of an OpenID provider, and its
 * function.
 */
import { gzipSync } from 'node:zlib';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Grant } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { bundledPage } from '../console/page-files.ts';
import { acknowledge } from './acknowledge.ts';
import { encryptedLogGroup, type LogDefaults } from './encrypted-log-group.ts';
import { grantKey } from './encryption-key.ts';
import { fixLogicalId } from './logical-id.ts';
import type { ConsoleSettings } from './settings.ts';
import type { Storage } from './storage.ts';
import { TodokeFunction } from './todoke-function.ts';

/** A line of the access log. It has no header, no query and no content. A query may contain the code of a sign-in. */
const ACCESS_LOG = {
  requestId: '$context.requestId',
  requestTime: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  route: '$context.routeKey',
  status: '$context.status',
  responseLength: '$context.responseLength',
  latencyMs: '$context.responseLatency',
  error: '$context.error.message',
  authorizerError: '$context.authorizer.error',
};

/** Requests a second. A team of a hundred people with open tabs makes a tenth of this. */
const RATE_LIMIT = 50;
const BURST_LIMIT = 100;

export interface ConsoleProps {
  readonly defaults: LogDefaults;
  readonly settings: ConsoleSettings;
  readonly noNewsHours: number;
  readonly storage: Storage;
}

export class Console extends Construct {
  /** The address of the console, which is also the redirect address to register at the OpenID provider. */
  readonly url: string;

  constructor(scope: Construct, id: string, { defaults, settings, noNewsHours, storage }: ConsoleProps) {
    super(scope, id);
    const { issuer, clientId, readers, operators } = settings;
    const secret = this.#accessLogSecret(defaults);
    const serve = new TodokeFunction(this, 'Console', {
      defaults,
      entry: 'console/function.ts',
      description: 'Serves the console to the people whom the settings admit',
      // API Gateway waits for 30 seconds.
      timeout: Duration.seconds(29),
      files: pageJson,
      environment: {
        MAIL_TABLE: storage.mail.tableName,
        SENT_LOG_TABLE: storage.sentLog.tableName,
        BOUNCE_TABLE: storage.bounce.tableName,
        NO_NEWS_HOURS: String(noNewsHours),
        CONSOLE_ISSUER: issuer,
        CONSOLE_CLIENT_ID: clientId,
        CONSOLE_TEAM: JSON.stringify({ readers, operators }),
        ACCESS_LOG_SECRET: secret.secretArn,
      },
    });
    // The page shows rows, sends items again, suppresses and allows addresses, and erases a person. It needs no
    // provider's secret.
    storage.grant(serve, storage.mail, 'GetItem', 'Scan', 'UpdateItem', 'DeleteItem');
    storage.grant(serve, storage.sentLog, 'BatchGetItem', 'GetItem', 'Query', 'Scan', 'UpdateItem', 'DeleteItem');
    storage.grantQueryIndexes(serve, storage.sentLog);
    storage.grantScanByDay(serve, storage.sentLog);
    storage.grant(serve, storage.bounce, 'BatchGetItem', 'Query', 'Scan', 'PutItem', 'DeleteItem');
    storage.grantQueryIndexes(serve, storage.bounce);
    storage.grantScanByDay(serve, storage.bounce);
    Grant.addToPrincipal({
      grantee: serve,
      actions: ['secretsmanager:GetSecretValue'],
      resourceArns: [secret.secretArn],
    });
    grantKey(serve, defaults.key, 'secretsmanager', ['kms:Decrypt']);

    const api = new HttpApi(this, 'ConsoleApi', {
      apiName: `${Stack.of(this).stackName} console`,
      description: 'Serves the console',
      createDefaultStage: false,
    });
    fixLogicalId(api, 'ConsoleApi');
    const stage = new HttpStage(this, 'ConsoleStage', {
      httpApi: api,
      autoDeploy: true,
      throttle: { rateLimit: RATE_LIMIT, burstLimit: BURST_LIMIT },
      accessLogSettings: {
        destination: new LogGroupLogDestination(encryptedLogGroup(this, 'ConsoleApiLogs', defaults)),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
    });
    fixLogicalId(stage, 'ConsoleStage');
    const integration = new HttpLambdaIntegration('ConsoleIntegration', serve);
    const authorizer = new HttpJwtAuthorizer('ConsoleAuthorizer', issuer, { jwtAudience: [clientId] });
    api.addRoutes({ path: '/api/{call}', methods: [HttpMethod.POST], integration, authorizer });
    // No authorizer: a person who is not signed in yet must get the page, which has no data.
    const files = ['/', '/{file}'].flatMap((path) => api.addRoutes({ path, methods: [HttpMethod.GET], integration }));
    for (const route of files) acknowledge(route, 'APIG4', 'It serves only the files of the page, which hold no data.');
    this.url = `${api.apiEndpoint}/`;
  }

  /**
   * The key of the hashed addresses in the console's access log. CloudFormation generates another only if
   * `generateSecretString` changes.
   */
  #accessLogSecret({ key }: LogDefaults): Secret {
    const secret = new Secret(this, 'AccessLogSecret', {
      description: 'Todoke: the key of the hashed addresses in the access log of the console',
      encryptionKey: Key.fromKeyArn(this, 'EncryptionKey', key.keyArn),
      generateSecretString: {
        secretStringTemplate: '{}',
        generateStringKey: 'key',
        passwordLength: 64,
        excludePunctuation: true,
      },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    fixLogicalId(secret, 'AccessLogSecret');
    acknowledge(secret, 'SMG4', 'After a rotation, the addresses in older log lines could not be found any more.');
    return secret;
  }
}

/** The files of the page for the function. They are compressed here, because an HTTP API does not compress. */
function pageJson(): Record<string, string> {
  const { '/': html, ...files } = Object.fromEntries(bundledPage());
  const packed = Object.entries(files).map(([path, { type, body }]) => [
    path,
    { type, gzip: gzipSync(body, { level: 9 }).toString('base64') },
  ]);
  return { 'page.json': JSON.stringify({ html: String(html?.body), files: Object.fromEntries(packed) }) };
}
