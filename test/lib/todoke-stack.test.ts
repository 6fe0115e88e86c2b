import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { eventFilter } from '../../local/event-sources/event-filter.ts';
import { resources, synthesized } from './synthesized.ts';

const template = synthesized();

describe('tables', () => {
  test.each(['Mail', 'SentLog', 'Bounce'])(
    '%s is on demand, encrypted with the key, recoverable, protected and retained',
    (logicalId) => {
      const table = resources(template, 'AWS::DynamoDB::Table')[logicalId];
      expect(table).toMatchObject({
        DeletionPolicy: 'Retain',
        UpdateReplacePolicy: 'Retain',
        Properties: {
          BillingMode: 'PAY_PER_REQUEST',
          SSESpecification: { SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: { 'Fn::GetAtt': ['Key', 'Arn'] } },
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
          DeletionProtectionEnabled: true,
          TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
        },
      });
      expect(table?.Properties).not.toHaveProperty('TableName');
    },
  );
});

test('secrets are encrypted and retained, and start with empty values', () => {
  const secrets = resources(template, 'AWS::SecretsManager::Secret');
  expect(Object.keys(secrets)).toEqual(['WebhookSecret', 'SenderSecret']);
  for (const secret of Object.values(secrets)) {
    expect(secret).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: { KmsKeyId: { 'Fn::GetAtt': ['Key', 'Arn'] } },
    });
  }
  expect(JSON.parse(String(secrets['WebhookSecret']?.Properties['SecretString']))).toEqual({
    sendgridPublicKeys: [],
    customersMailCloud: { apiKeys: [], basic: [], bearerTokens: [] },
  });
  expect(JSON.parse(String(secrets['SenderSecret']?.Properties['SecretString']))).toEqual({
    sendgridApiKey: '',
    customersMailCloudSmtp: { host: '', port: 587, user: '', password: '' },
  });
});

describe('functions', () => {
  test.each([
    ['ReceiveSendGrid', 29],
    ['ReceiveCustomersMailCloud', 29],
    ['RecordEvents', 60],
    ['SendMail', 180],
    ['JoinLateEvents', 60],
    ['PublishFailures', 60],
  ])('%s runs on Node 24 on arm64 for at most %i s, with its own encrypted log group', (logicalId, timeout) => {
    expect(resources(template, 'AWS::Lambda::Function')[logicalId]?.Properties).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Timeout: timeout,
      LoggingConfig: { LogGroup: { Ref: `${logicalId}Logs` } },
    });
    expect(resources(template, 'AWS::Logs::LogGroup')[`${logicalId}Logs`]?.Properties).toMatchObject({
      RetentionInDays: 90,
      KmsKeyId: { 'Fn::GetAtt': ['Key', 'Arn'] },
    });
  });

  test('no other function exists', () => {
    template.resourceCountIs('AWS::Lambda::Function', 6);
  });

  test.each([
    ['sendgridReceiverReservedConcurrency', 'ReceiveSendGrid'],
    ['customersMailCloudReceiverReservedConcurrency', 'ReceiveCustomersMailCloud'],
  ])('%s reserves concurrency only for %s, and no concurrency is reserved without it', (setting, receiver) => {
    const reserved = (stack: typeof template) =>
      Object.entries(resources(stack, 'AWS::Lambda::Function')).flatMap(([logicalId, { Properties }]) =>
        'ReservedConcurrentExecutions' in Properties ? [[logicalId, Properties['ReservedConcurrentExecutions']]] : [],
      );
    expect(reserved(synthesized({ [setting]: '7' }))).toEqual([[receiver, 7]]);
    expect(reserved(template)).toEqual([]);
  });

  test('the sender uses the configured region of SendGrid', () => {
    const url = (stack: typeof template) =>
      environmentSchema.parse(resources(stack, 'AWS::Lambda::Function')['SendMail']?.Properties['Environment'])
        .Variables['SENDGRID_API_URL'];
    expect(url(template)).toBe('https://api.sendgrid.com');
    expect(url(synthesized({ sendgridRegion: 'eu' }))).toBe('https://api.eu.sendgrid.com');
  });
});

describe("least privilege: the permissions of each function's role", () => {
  const KEY_FOR_WRITES =
    'Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo';
  const receiver = {
    WebhookSecret: 'GetSecretValue',
    EventQueue: 'SendMessage',
    'Key through secretsmanager': 'Decrypt',
    'Key through sqs': 'Decrypt GenerateDataKey',
  };
  const EXPECTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    ReceiveSendGrid: receiver,
    ReceiveCustomersMailCloud: receiver,
    RecordEvents: {
      SentLog: 'BatchGetItem BatchWriteItem PutItem',
      Bounce: 'BatchWriteItem PutItem',
      EventQueue: 'ReceiveMessage DeleteMessage GetQueueAttributes',
      'Key through dynamodb': KEY_FOR_WRITES,
      'Key through sqs': 'Decrypt',
    },
    SendMail: {
      Mail: 'UpdateItem',
      'Mail stream': 'DescribeStream GetRecords GetShardIterator',
      '*': 'ListStreams',
      SentLog: 'PutItem',
      Bounce: 'PutItem',
      'Bounce byRecipient': 'Query',
      SenderSecret: 'GetSecretValue',
      RetryQueue: 'SendMessage ReceiveMessage DeleteMessage GetQueueAttributes',
      FailureQueue: 'SendMessage',
      'Key through dynamodb': KEY_FOR_WRITES,
      'Key through secretsmanager': 'Decrypt',
      'Key through sqs': 'Decrypt GenerateDataKey',
    },
    JoinLateEvents: {
      SentLog: 'Query UpdateItem',
      'SentLog stream': 'DescribeStream GetRecords GetShardIterator',
      '*': 'ListStreams',
      Bounce: 'UpdateItem',
      FailureQueue: 'SendMessage',
      'Key through dynamodb': KEY_FOR_WRITES,
      'Key through sqs': 'Decrypt GenerateDataKey',
    },
    PublishFailures: {
      SentLog: 'BatchGetItem',
      Bounce: 'UpdateItem',
      'Bounce stream': 'DescribeStream GetRecords GetShardIterator',
      '*': 'ListStreams',
      'event-bus/default': 'PutEvents',
      FailureQueue: 'SendMessage',
      'Key through dynamodb': KEY_FOR_WRITES,
      'Key through sqs': 'Decrypt GenerateDataKey',
    },
  };

  test.each(Object.entries(EXPECTED))('%s', (functionId, expected) => {
    expect(grantsOf(functionId)).toEqual({ ...expected, [`${functionId}Logs`]: 'CreateLogStream PutLogEvents' });
    const role = resources(template, 'AWS::IAM::Role')[`${functionId}Role`]?.Properties;
    expect(role).not.toHaveProperty('ManagedPolicyArns');
    expect(role).not.toHaveProperty('Policies');
  });

  test('with the setting suppression off, send-mail cannot read Bounce', () => {
    const off = statementsOf('SendMail', synthesized({ suppression: 'off' })).flatMap(({ Action }) => Action);
    expect(off).toContain('dynamodb:PutItem');
    expect(off).not.toContain('dynamodb:Query');
  });

  test.each(['ReceiveSendGrid', 'ReceiveCustomersMailCloud'])('%s has access to no table', (functionId) => {
    const statements = statementsOf(functionId);
    expect(statements.length).toBeGreaterThan(0);
    expect(statements.flatMap(({ Action }) => Action).filter((action) => /^(dynamodb:|\*)/.test(action))).toEqual([]);
    const { Environment } = resources(template, 'AWS::Lambda::Function')[functionId]?.Properties ?? {};
    expect(Object.keys(environmentSchema.parse(Environment).Variables)).toEqual([
      'STACK_NAME',
      'WEBHOOK_SECRET',
      'EVENT_QUEUE_URL',
    ]);
  });
});

describe('the console for a team', () => {
  const CONSOLE = { consoleIssuer: 'https://openid.example.com', consoleClientId: 'client' };
  const stack = synthesized({ ...CONSOLE, consoleReaders: '@example.com' });

  test('is deployed only with its settings', () => {
    for (const type of ['Api', 'Route', 'Authorizer', 'Stage'])
      template.resourceCountIs(`AWS::ApiGatewayV2::${type}`, 0);
    expect(template.findOutputs('*')).not.toHaveProperty('ConsoleUrl');
    stack.resourceCountIs('AWS::Lambda::Function', 7);
    expect(stack.findOutputs('ConsoleUrl')['ConsoleUrl']?.['Value']).toEqual({
      'Fn::Join': ['', [{ 'Fn::GetAtt': ['ConsoleApi', 'ApiEndpoint'] }, '/']],
    });
  });

  test("has all calls behind the authorizer, and only the page's files outside it", () => {
    const routes = Object.values(resources(stack, 'AWS::ApiGatewayV2::Route')).map(({ Properties }) => [
      Properties['RouteKey'],
      Properties['AuthorizationType'],
    ]);
    expect(Object.fromEntries(routes)).toEqual({ 'POST /api/{call}': 'JWT', 'GET /': 'NONE', 'GET /{file}': 'NONE' });
    stack.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Audience: ['client'], Issuer: 'https://openid.example.com' },
    });
  });

  test('is throttled, and its access log has no header, query or content', () => {
    const [stage] = Object.values(resources(stack, 'AWS::ApiGatewayV2::Stage'));
    expect(stage?.Properties).toMatchObject({
      DefaultRouteSettings: { ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100 },
    });
    const { Format } = z.object({ Format: z.string() }).parse(stage?.Properties['AccessLogSettings']);
    expect(Format).not.toMatch(/header|query|path|authorizer\.claims|body/i);
  });

  test("can read the tables, can make operators' changes, and cannot read a provider’s key", () => {
    expect(grantsOf('Console', stack)).toEqual({
      Mail: 'GetItem Scan UpdateItem DeleteItem',
      SentLog: 'BatchGetItem GetItem Query Scan UpdateItem DeleteItem',
      'SentLog/index/byDay SentLog/index/byRecipient': 'Query',
      'SentLog byDay': 'Scan',
      Bounce: 'BatchGetItem Query Scan PutItem DeleteItem',
      'Bounce/index/byRecipient Bounce/index/byDay': 'Query',
      'Bounce byDay': 'Scan',
      AccessLogSecret: 'GetSecretValue',
      'Key through dynamodb':
        'Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo',
      'Key through secretsmanager': 'Decrypt',
      ConsoleLogs: 'CreateLogStream PutLogEvents',
    });
  });

  test('retains the key of its log: the value is made once, and stays when the stack is deleted', () => {
    expect(resources(stack, 'AWS::SecretsManager::Secret')['AccessLogSecret']).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: {
        GenerateSecretString: { SecretStringTemplate: '{}', GenerateStringKey: 'key', PasswordLength: 64 },
      },
    });
  });
});

describe('streams and queues', () => {
  const mappings = (functionId: string, stack = template) =>
    Object.values(resources(stack, 'AWS::Lambda::EventSourceMapping')).flatMap(({ Properties }) =>
      JSON.stringify(Properties['FunctionName']) === JSON.stringify({ Ref: functionId }) ? [Properties] : [],
    );
  /** The function's first mapping. It is that of the stream, if the function reads one. */
  const mapping = (functionId: string, stack = template) =>
    mappings(functionId, stack).toSorted((a) => ('StartingPosition' in a ? -1 : 1))[0];

  test('send-mail gets new or changed items with no status or an empty one, and no deleted items', () => {
    expect(mapping('SendMail')).toMatchObject({ EventSourceArn: { 'Fn::GetAtt': ['Mail', 'StreamArn'] } });
    const { Filters } = filterSchema.parse(mapping('SendMail')?.['FilterCriteria']);
    const passes = eventFilter(Filters.map(({ Pattern }) => Pattern));
    const id = { S: 'order-1' };
    for (const eventName of ['INSERT', 'MODIFY']) {
      const passesWith = (attributes: object) =>
        passes({ eventName, dynamodb: { Keys: { id }, NewImage: { id, ...attributes } } });
      expect(passesWith({})).toBe(true);
      expect(passesWith({ status: { S: '' } })).toBe(true);
      expect(passesWith({ status: { NULL: true } })).toBe(true);
      for (const status of ['sending', 'sent', 'failed']) expect(passesWith({ status: { S: status } })).toBe(false);
    }
    const deleted = { eventName: 'REMOVE', dynamodb: { Keys: { id } } };
    const expired = { ...deleted, userIdentity: { type: 'Service', principalId: 'dynamodb.amazonaws.com' } };
    expect(passes(deleted)).toBe(false);
    expect(passes(expired)).toBe(false);
  });

  test('join-late-events gets new log rows, and log rows that were written again without the fields that it adds', () => {
    expect(mapping('JoinLateEvents')).toMatchObject({
      EventSourceArn: { 'Fn::GetAtt': ['SentLog', 'StreamArn'] },
      FilterCriteria: {
        Filters: [
          { Pattern: '{"eventName":["INSERT"],"dynamodb":{"NewImage":{"entry":{"S":["mail"]}}}}' },
          {
            Pattern:
              '{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"entry":{"S":["mail"]},"day":{"S":[{"exists":false}]}}}}',
          },
        ],
      },
    });
  });

  describe('publish-failures', () => {
    const passes = (settings: Record<string, unknown>) => {
      const { FilterCriteria } = mapping('PublishFailures', synthesized(settings)) ?? {};
      return eventFilter(filterSchema.parse(FilterCriteria).Filters.map(({ Pattern }) => Pattern));
    };
    const image = (outcome: string, matched?: boolean) => ({
      outcome: { S: outcome },
      ...(matched !== undefined && { matched: { BOOL: matched } }),
    });
    const put = (NewImage: object, OldImage?: object) => ({
      eventName: OldImage ? 'MODIFY' : 'INSERT',
      dynamodb: { NewImage, ...(OldImage && { OldImage }) },
    });
    const [matched, unmatched] = [image('bounced', true), image('bounced', false)];

    test('gets failures that are new, that become matched, or that are unmatched', () => {
      expect(mapping('PublishFailures')).toMatchObject({ EventSourceArn: { 'Fn::GetAtt': ['Bounce', 'StreamArn'] } });
      const passing = passes({});
      for (const outcome of ['bounced', 'dropped', 'failed', 'complained']) {
        for (const isMatched of [true, false]) expect(passing(put(image(outcome, isMatched)))).toBe(true);
      }
      expect(passing(put(image('unrecognized', false)))).toBe(true);
      expect(passing(put(matched, unmatched))).toBe(true);
      expect(passing(put(unmatched, matched))).toBe(true);
      expect(passing(put(unmatched, unmatched))).toBe(true);
    });

    test('gets no repeated post of a matched failure, no decision, no block list change, and no deletion', () => {
      const passing = passes({});
      expect(passing(put(matched, matched))).toBe(false);
      expect(passing(put(image('unrecognized', false), image('unrecognized', false)))).toBe(false);
      for (const outcome of ['suppressed', 'allowed', 'blocklisted']) expect(passing(put(image(outcome)))).toBe(false);
      expect(passing({ eventName: 'REMOVE', dynamodb: { OldImage: matched } })).toBe(false);
    });

    test('if it is off, gets only unmatched failures, and may not put events', () => {
      const passing = passes({ publishFailures: 'off' });
      expect(passing(put(unmatched))).toBe(true);
      expect(passing(put(unmatched, matched))).toBe(true);
      expect(passing(put(matched))).toBe(false);
      expect(passing(put(matched, unmatched))).toBe(false);
      const off = synthesized({ publishFailures: 'off' });
      expect(JSON.stringify(off.toJSON())).not.toContain('events:PutEvents');
      const { Environment } = resources(off, 'AWS::Lambda::Function')['PublishFailures']?.Properties ?? {};
      expect(environmentSchema.parse(Environment).Variables['PUBLISH_FAILURES']).toBe('off');
    });
  });

  test.each(['SendMail', 'JoinLateEvents', 'PublishFailures'])(
    '%s gets every record, and given-up records are reported',
    (functionId) => {
      expect(mapping(functionId)).toMatchObject({
        StartingPosition: 'TRIM_HORIZON',
        BatchSize: 100,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        BisectBatchOnFunctionError: true,
        // Without a limit: storage that fails fast would use up ten retries within minutes.
        MaximumRetryAttempts: -1,
        MaximumRecordAgeInSeconds: 43_200,
        DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['FailureQueue', 'Arn'] } } },
      });
    },
  );

  test.each([
    [{}, 5],
    [{ recordEventsMaximumConcurrency: '2' }, 2],
    [{ recordEventsMaximumConcurrency: 1000 }, 1000],
  ])('record-events gets ten posts at a time; with %j it has %i concurrent invocations', (settings, maximum) => {
    expect(mapping('RecordEvents', synthesized(settings))).toMatchObject({
      EventSourceArn: { 'Fn::GetAtt': ['EventQueue', 'Arn'] },
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: maximum },
    });
  });

  test('a post that cannot be recorded is retried for at least four days, and is not deleted before that', () => {
    const { VisibilityTimeout, MessageRetentionPeriod, RedrivePolicy } = queueSchema.parse(queue('EventQueue'));
    const { Timeout } = z
      .object({ Timeout: z.number() })
      .parse(resources(template, 'AWS::Lambda::Function')['RecordEvents']?.Properties);
    // Developer Guide of Lambda, "Using Lambda with Amazon SQS".
    expect(VisibilityTimeout).toBe(6 * Timeout);
    expect(RedrivePolicy.deadLetterTargetArn).toEqual({ 'Fn::GetAtt': ['FailureQueue', 'Arn'] });
    // The highest count that SQS allows.
    expect(RedrivePolicy.maxReceiveCount).toBe(1000);
    const triedForDays = (VisibilityTimeout * RedrivePolicy.maxReceiveCount) / SECONDS_PER_DAY;
    expect(triedForDays).toBeGreaterThanOrEqual(4);
    // The message's age continues in FailureQueue, so some of the retention time must be left for a person.
    expect(MessageRetentionPeriod).toBe(14 * SECONDS_PER_DAY);
    expect(triedForDays).toBeLessThan(7);
  });

  test('send-mail gets the messages of RetryQueue, and a message that fails is received again for six hours', () => {
    const [, retries] = mappings('SendMail').toSorted((a) => ('StartingPosition' in a ? -1 : 1));
    expect(retries).toMatchObject({
      EventSourceArn: { 'Fn::GetAtt': ['RetryQueue', 'Arn'] },
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 5 },
    });
    const { VisibilityTimeout, RedrivePolicy } = queueSchema.parse(queue('RetryQueue'));
    const { Timeout } = z
      .object({ Timeout: z.number() })
      .parse(resources(template, 'AWS::Lambda::Function')['SendMail']?.Properties);
    expect(VisibilityTimeout).toBe(6 * Timeout);
    expect(VisibilityTimeout * RedrivePolicy.maxReceiveCount).toBe(6 * 3_600);
    expect(RedrivePolicy.deadLetterTargetArn).toEqual({ 'Fn::GetAtt': ['FailureQueue', 'Arn'] });
  });

  test.each(['EventQueue', 'RetryQueue', 'FailureQueue'])(
    '%s accepts 1 MiB and is encrypted with the key',
    (logicalId) => {
      expect(queue(logicalId)).toMatchObject({
        MaximumMessageSize: 1_048_576,
        MessageRetentionPeriod: 14 * SECONDS_PER_DAY,
        KmsMasterKeyId: { 'Fn::GetAtt': ['Key', 'Arn'] },
      });
    },
  );

  function queue(logicalId: string) {
    return resources(template, 'AWS::SQS::Queue')[logicalId]?.Properties;
  }
});

describe("SendGrid's webhook", () => {
  const [path] = Object.values(resources(template, 'AWS::ApiGateway::Resource'));
  const [permission] = Object.values(resources(template, 'AWS::Lambda::Permission')).filter(
    ({ Properties }) => Properties['Principal'] === 'apigateway.amazonaws.com',
  );

  test('path, permission and output agree', () => {
    const stackId =
      'arn:aws:cloudformation:ap-northeast-1:123456789012:stack/Todoke/0aa1b2c3-d4e5-11ee-8b1a-0e1f2a3b4c5d';
    const references = {
      'AWS::StackId': stackId,
      'AWS::Region': 'ap-northeast-1',
      'AWS::AccountId': '123456789012',
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      SendGridWebhook: 'api123',
    };
    const stage = Object.keys(resources(template, 'AWS::ApiGateway::Stage'))[0] ?? '';
    const resolve = resolver({ ...references, [stage]: 'v1' });
    const pathPart = resolve(path?.Properties['PathPart']);
    expect(pathPart).toBe('0aa1b2c3-d4e5-11ee-8b1a-0e1f2a3b4c5d');
    const output = resolve(template.findOutputs('SendGridWebhookUrl')['SendGridWebhookUrl']?.['Value']);
    expect(output).toBe(`https://api123.execute-api.ap-northeast-1.amazonaws.com/v1/${pathPart}`);
    // The ARN that API Gateway passes for a POST: <api>/<stage>/<method>/<path>.
    const called = `arn:aws:execute-api:ap-northeast-1:123456789012:api123/v1/POST/${pathPart}`;
    expect(called).toMatch(wildcard(resolve(permission?.Properties['SourceArn'])));
    expect(permission?.Properties).toMatchObject({
      Action: 'lambda:InvokeFunction',
      FunctionName: { 'Fn::GetAtt': ['ReceiveSendGrid', 'Arn'] },
    });
  });

  test('accepts any method, in one region, by TLS 1.2 or newer, and passes the signed bytes unchanged', () => {
    template.hasResourceProperties('AWS::ApiGateway::RestApi', {
      EndpointConfiguration: { Types: ['REGIONAL'] },
      SecurityPolicy: 'SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09',
      EndpointAccessMode: 'BASIC',
      BinaryMediaTypes: ['*/*'],
    });
    template.resourceCountIs('AWS::ApiGateway::Method', 1);
    template.hasResourceProperties('AWS::ApiGateway::Method', { HttpMethod: 'ANY', AuthorizationType: 'NONE' });
    template.hasResourceProperties('AWS::ApiGateway::Stage', { StageName: 'v1' });
  });

  test("the account's role for access logs is made only if that is set", () => {
    template.resourceCountIs('AWS::ApiGateway::Account', 1);
    synthesized({ apiGatewayAccountRole: 'existing' }).resourceCountIs('AWS::ApiGateway::Account', 0);
  });
});

test("Customers Mail Cloud's webhook is a public function URL, with both permissions that one needs", () => {
  template.hasResourceProperties('AWS::Lambda::Url', {
    AuthType: 'NONE',
    TargetFunctionArn: { 'Fn::GetAtt': ['ReceiveCustomersMailCloud', 'Arn'] },
  });
  const actions = Object.values(resources(template, 'AWS::Lambda::Permission'))
    .filter(({ Properties }) => Properties['Principal'] === '*')
    .map(({ Properties }) => Properties['Action']);
  expect(actions.toSorted()).toEqual(['lambda:InvokeFunction', 'lambda:InvokeFunctionUrl']);
});

describe('cdk destroy', () => {
  const KEPT = ['Bounce', 'Key', 'Mail', 'SenderSecret', 'SentLog', 'WebhookSecret'];
  const all = z
    .record(z.string(), z.looseObject({ Type: z.string(), DeletionPolicy: z.string().optional() }))
    .parse(template.toJSON()['Resources']);

  test("retains tables, key, secrets and the account's role, and deletes everything else", () => {
    const kept = Object.entries(all).filter(([, { DeletionPolicy }]) => DeletionPolicy === 'Retain');
    const [roles, others] = [kept.filter(isApiGateways), kept.filter((entry) => !isApiGateways(entry))];
    expect(others.map(([logicalId]) => logicalId).toSorted()).toEqual(KEPT);
    expect(roles.map(([, { Type }]) => Type).toSorted()).toEqual(['AWS::ApiGateway::Account', 'AWS::IAM::Role']);
  });

  test('retained resources refer only to retained resources, so that they can be imported', () => {
    const references = KEPT.flatMap((logicalId) =>
      Array.from(JSON.stringify(all[logicalId]).matchAll(/"(?:Ref|Fn::GetAtt)":\[?"([^"]+)"/g), ([, target]) => target),
    ).filter((target) => !target?.startsWith('AWS::'));
    expect(new Set(references)).toEqual(new Set(['Key']));
  });

  function isApiGateways([logicalId, { Type }]: [string, { Type: string }]): boolean {
    return Type === 'AWS::ApiGateway::Account' || logicalId.includes('CloudWatchRole');
  }
});

test('every function, policy, key, secret and output has a description, and every resource has the tag', () => {
  for (const type of [
    'AWS::Lambda::Function',
    'AWS::IAM::ManagedPolicy',
    'AWS::KMS::Key',
    'AWS::SecretsManager::Secret',
  ]) {
    for (const { Properties } of Object.values(resources(template, type))) {
      expect(Properties['Description']).toMatch(/\w+ \w+/);
    }
  }
  for (const { Description } of Object.values(template.findOutputs('*'))) expect(Description).toMatch(/\w+ \w+/);
  for (const type of ['AWS::DynamoDB::Table', 'AWS::Lambda::Function', 'AWS::SQS::Queue', 'AWS::ApiGateway::RestApi']) {
    for (const { Properties } of Object.values(resources(template, type))) {
      expect(Properties['Tags']).toContainEqual({ Key: 'Application', Value: 'Todoke' });
    }
  }
});

test('the API is throttled, and logs the caller but not the content', () => {
  template.hasResourceProperties('AWS::ApiGateway::Stage', {
    MethodSettings: [Match.objectLike({ ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 1000 })],
    AccessLogSetting: { DestinationArn: { 'Fn::GetAtt': ['SendGridWebhookLogs', 'Arn'] } },
  });
  const [stage] = Object.values(resources(template, 'AWS::ApiGateway::Stage'));
  expect(JSON.stringify(stage?.Properties['AccessLogSetting'])).not.toMatch(/path|header|body/i);
});

test('the outputs are those of docs/design.md', () => {
  expect(Object.keys(template.toJSON().Outputs).toSorted()).toEqual([
    'AlarmTopicArn',
    'BounceTableName',
    'CustomersMailCloudTimeZone',
    'CustomersMailCloudWebhookUrl',
    'DashboardUrl',
    'EventQueueUrl',
    'FailureQueueUrl',
    'LogMailPolicyArn',
    'MailTableName',
    'NoNewsHours',
    'PublishFailures',
    'ReadBouncesPolicyArn',
    'RetryQueueUrl',
    'SendGridRegion',
    'SendGridWebhookUrl',
    'SendMailPolicyArn',
    'SenderSecretName',
    'SentLogTableName',
    'WebhookSecretName',
  ]);
});

const environmentSchema = z.object({ Variables: z.record(z.string(), z.unknown()) });
const filterSchema = z.object({ Filters: z.array(z.object({ Pattern: z.string() })) });
const queueSchema = z.object({
  VisibilityTimeout: z.number(),
  MessageRetentionPeriod: z.number(),
  RedrivePolicy: z.object({ deadLetterTargetArn: z.unknown(), maxReceiveCount: z.number() }),
});
const SECONDS_PER_DAY = 86_400;

const texts = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const referenceSchema = z.union([
  z.string(),
  z.strictObject({ Ref: z.string() }).transform(({ Ref }) => Ref),
  z
    .strictObject({ 'Fn::GetAtt': z.tuple([z.string(), z.enum(['Arn', 'StreamArn'])]) })
    .transform(({ 'Fn::GetAtt': [logicalId, name] }) => (name === 'Arn' ? logicalId : `${logicalId} stream`)),
  // An index of a table.
  z
    .strictObject({
      'Fn::Join': z.tuple([
        z.literal(''),
        z.tuple([z.strictObject({ 'Fn::GetAtt': z.tuple([z.string(), z.literal('Arn')]) }), z.string()]),
      ]),
    })
    .transform(({ 'Fn::Join': [, [table, path]] }) => `${table['Fn::GetAtt'][0]} ${path.replace('/index/', '')}`),
  // The account's own event bus.
  z
    .strictObject({ 'Fn::Join': z.tuple([z.literal(''), z.array(z.unknown())]) })
    .transform(({ 'Fn::Join': [, parts] }) => String(parts.at(-1)).replace(/^:/, '')),
  // The indexes of a table.
  z
    .array(z.object({ 'Fn::Join': z.tuple([z.literal(''), z.tuple([z.object({ 'Fn::GetAtt': texts }), z.string()])]) }))
    .transform((all) => all.map(({ 'Fn::Join': [, [table, index]] }) => `${table['Fn::GetAtt'][0]}${index}`).join(' ')),
]);
/** The service through which a key may be used. */
const viaServiceSchema = z
  .strictObject({
    StringEquals: z.strictObject({
      'kms:ViaService': z.strictObject({
        'Fn::Join': z.tuple([
          z.literal(''),
          z.tuple([z.string(), z.strictObject({ Ref: z.literal('AWS::Region') }), z.literal('.amazonaws.com')]),
        ]),
      }),
    }),
  })
  .transform(({ StringEquals }) => StringEquals['kms:ViaService']['Fn::Join'][1][0].replace('.', ''));
const statementSchema = z.strictObject({
  Effect: z.literal('Allow'),
  Action: texts,
  Resource: referenceSchema,
  Condition: viaServiceSchema.optional(),
});

function statementsOf(functionId: string, stack = template) {
  const documentSchema = z.object({ PolicyDocument: z.object({ Statement: z.array(statementSchema) }) });
  return Object.values(resources(stack, 'AWS::IAM::Policy'))
    .filter(({ Properties }) => JSON.stringify(Properties['Roles']) === JSON.stringify([{ Ref: `${functionId}Role` }]))
    .flatMap(({ Properties }) => documentSchema.parse(Properties).PolicyDocument.Statement);
}

/** The actions without their service, by resource: `Mail`, `Mail stream`, `Key through sqs`, `*`. */
function grantsOf(functionId: string, stack = template): Record<string, string> {
  const granted = new Map<string, Set<string>>();
  for (const { Action, Resource, Condition } of statementsOf(functionId, stack)) {
    const target = Condition === undefined ? Resource : `${Resource} through ${Condition}`;
    const names = Action.map((action) => action.replace(/^.*:/, ''));
    granted.set(target, new Set([...(granted.get(target) ?? []), ...names]));
  }
  return Object.fromEntries([...granted].map(([target, names]) => [target, [...names].join(' ')]));
}

/** Resolves the intrinsic functions in addresses and permissions. */
function resolver(references: Record<string, string>) {
  return function resolve(value: unknown): string {
    if (typeof value === 'string') return value;
    const [[name, argument] = ['', '']] = Object.entries(value as Record<string, unknown>);
    const parts = Array.isArray(argument) ? argument : [];
    if (name === 'Ref') return references[String(argument)] ?? `unknown ${String(argument)}`;
    if (name === 'Fn::Join') return (parts[1] as unknown[]).map(resolve).join(String(parts[0]));
    if (name === 'Fn::Select') {
      const [separator, text] = (parts[1] as { 'Fn::Split': [string, unknown] })['Fn::Split'];
      return resolve(text).split(separator)[Number(parts[0])] ?? 'nothing';
    }
    throw new Error(`Cannot resolve ${name}`);
  };
}

function wildcard(pattern: string): RegExp {
  return new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[.\\/]/g, '\\$&'))
      .join('.*')}$`,
  );
}
