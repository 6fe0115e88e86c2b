import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { resources, synthesized } from './synthesized.ts';

const template = synthesized();

describe('tables', () => {
  test.each([
    ['Mail', ['id HASH'], 'NEW_IMAGE', []],
    ['SentLog', ['messageId HASH', 'entry RANGE'], 'NEW_IMAGE', ['byDay day sentAt']],
    [
      'Bounce',
      ['fullMessageId HASH', 'eventId RANGE'],
      undefined,
      ['byRecipient toEmail occurredAt', 'byDay day occurredAt'],
    ],
  ])('%s has its keys, stream and indexes', (logicalId, keys, stream, indexes) => {
    const table = tableSchema.parse(resources(template, 'AWS::DynamoDB::Table')[logicalId]?.Properties);
    expect(table.KeySchema.map((key) => `${key.AttributeName} ${key.KeyType}`)).toEqual(keys);
    expect(table.StreamSpecification?.StreamViewType).toBe(stream);
    const found = table.GlobalSecondaryIndexes.map(({ IndexName, KeySchema }) =>
      [IndexName, ...KeySchema.map((key) => key.AttributeName)].join(' '),
    );
    expect(found).toEqual(indexes);
  });

  test.each(['Mail', 'SentLog', 'Bounce'])(
    '%s is on demand, encrypted with the key, recoverable, protected and kept',
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

test('the key rotates and is kept', () => {
  template.hasResource('AWS::KMS::Key', { Properties: { EnableKeyRotation: true }, DeletionPolicy: 'Retain' });
});

test('secrets are encrypted, kept, and begin with their empty shape', () => {
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
    ['ReceiveCustomersMailCloud', 30],
    ['SendMail', 180],
    ['JoinLateEvents', 60],
    ['RecordSpilledPosts', 60],
  ])('%s runs on Node 24 on arm64 for at most %i s, with an encrypted log group of its own', (logicalId, timeout) => {
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

  test('there is no other', () => {
    template.resourceCountIs('AWS::Lambda::Function', 5);
  });

  test("SendGrid's receiver is bounded only where that is set", () => {
    const bounded = synthesized({ sendgridReceiverReservedConcurrency: '7' });
    bounded.hasResourceProperties('AWS::Lambda::Function', {
      Description: Match.stringLikeRegexp('SendGrid'),
      ReservedConcurrentExecutions: 7,
    });
    expect(JSON.stringify(template.toJSON())).not.toContain('ReservedConcurrentExecutions');
  });

  test("the sender speaks to the region of SendGrid's that is set", () => {
    const url = (stack: typeof template) =>
      environmentSchema.parse(resources(stack, 'AWS::Lambda::Function')['SendMail']?.Properties['Environment'])
        .Variables['SENDGRID_API_URL'];
    expect(url(template)).toBe('https://api.sendgrid.com');
    expect(url(synthesized({ sendgridRegion: 'eu' }))).toBe('https://api.eu.sendgrid.com');
  });
});

describe('least privilege: a function may do on tables, secrets and queues just what it does', () => {
  test.each([
    [
      'ReceiveSendGrid',
      {
        SentLog: 'BatchGetItem BatchWriteItem PutItem',
        Bounce: 'BatchWriteItem PutItem',
        WebhookSecret: 'GetSecretValue',
      },
    ],
    [
      'ReceiveCustomersMailCloud',
      {
        SentLog: 'BatchGetItem BatchWriteItem PutItem',
        Bounce: 'BatchWriteItem PutItem',
        WebhookSecret: 'GetSecretValue',
        SpillQueue: 'SendMessage',
      },
    ],
    [
      'RecordSpilledPosts',
      {
        SentLog: 'BatchGetItem BatchWriteItem PutItem',
        Bounce: 'BatchWriteItem PutItem',
        SpillQueue: 'ReceiveMessage DeleteMessage GetQueueAttributes',
      },
    ],
    [
      'SendMail',
      {
        Mail: 'UpdateItem',
        'Mail stream': 'DescribeStream GetRecords GetShardIterator',
        SentLog: 'PutItem',
        Bounce: 'PutItem',
        SenderSecret: 'GetSecretValue',
        FailureQueue: 'SendMessage',
        '*': 'ListStreams',
      },
    ],
    [
      'JoinLateEvents',
      {
        SentLog: 'Query UpdateItem',
        'SentLog stream': 'DescribeStream GetRecords GetShardIterator',
        Bounce: 'UpdateItem',
        FailureQueue: 'SendMessage',
        '*': 'ListStreams',
      },
    ],
  ])('%s', (functionId, expected) => {
    const granted: Record<string, string> = {};
    for (const statement of statementsOf(functionId)) {
      const actions = [statement.Action].flat();
      if (actions.some((action) => action.startsWith('kms:') || action.startsWith('logs:'))) continue;
      granted[targetOf(statement.Resource)] = actions.map((action) => action.split(':')[1]).join(' ');
    }
    expect(granted).toEqual(expected);
  });

  test.each(['ReceiveSendGrid', 'ReceiveCustomersMailCloud', 'RecordSpilledPosts', 'SendMail', 'JoinLateEvents'])(
    '%s uses the key and no other, and writes its own log group and no other',
    (functionId) => {
      const statements = statementsOf(functionId);
      const key = statements.filter(({ Action }) => [Action].flat().some((action) => action.startsWith('kms:')));
      expect(key.length).toBeGreaterThan(0);
      for (const { Resource } of key) expect(Resource).toEqual({ 'Fn::GetAtt': ['Key', 'Arn'] });
      const logs = statements.filter(({ Action }) => [Action].flat().some((action) => action.startsWith('logs:')));
      expect(logs.map(({ Resource }) => Resource)).toEqual([{ 'Fn::GetAtt': [`${functionId}Logs`, 'Arn'] }]);
      expect(resources(template, 'AWS::IAM::Role')[`${functionId}Role`]?.Properties).not.toHaveProperty(
        'ManagedPolicyArns',
      );
    },
  );
});

describe('streams and the queue', () => {
  const mapping = (functionId: string) =>
    Object.values(resources(template, 'AWS::Lambda::EventSourceMapping')).find(
      ({ Properties }) => JSON.stringify(Properties['FunctionName']) === JSON.stringify({ Ref: functionId }),
    )?.Properties;

  test('send-mail sees the items of the Mail table that have no status, or an empty one', () => {
    expect(mapping('SendMail')).toMatchObject({
      EventSourceArn: { 'Fn::GetAtt': ['Mail', 'StreamArn'] },
      FilterCriteria: {
        Filters: [
          {
            Pattern:
              '{"eventName":["INSERT","MODIFY"],"dynamodb":{"NewImage":{"id":{"S":[{"exists":true}]},"status":{"S":[{"exists":false}]}}}}',
          },
          {
            Pattern:
              '{"eventName":["INSERT","MODIFY"],"dynamodb":{"NewImage":{"id":{"S":[{"exists":true}]},"status":{"S":[""]}}}}',
          },
        ],
      },
    });
  });

  test('join-late-events sees new log rows, and those that were put again without what it had added', () => {
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

  test.each(['SendMail', 'JoinLateEvents'])('%s gets every record, and what it gives up is reported', (functionId) => {
    expect(mapping(functionId)).toMatchObject({
      StartingPosition: 'TRIM_HORIZON',
      BatchSize: 100,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      BisectBatchOnFunctionError: true,
      // As often as it takes: storage that fails fast would use up ten within minutes.
      MaximumRetryAttempts: -1,
      MaximumRecordAgeInSeconds: 43_200,
      DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['FailureQueue', 'Arn'] } } },
    });
  });

  test('spilled posts are tried again for days, then kept for a person', () => {
    expect(mapping('RecordSpilledPosts')).toMatchObject({
      EventSourceArn: { 'Fn::GetAtt': ['SpillQueue', 'Arn'] },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
    const spill = resources(template, 'AWS::SQS::Queue')['SpillQueue']?.Properties;
    expect(spill).toMatchObject({
      VisibilityTimeout: 360,
      RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['FailureQueue', 'Arn'] }, maxReceiveCount: 1000 },
      KmsMasterKeyId: { 'Fn::GetAtt': ['Key', 'Arn'] },
    });
  });
});

describe("SendGrid's webhook", () => {
  const [path] = Object.values(resources(template, 'AWS::ApiGateway::Resource'));
  const [permission] = Object.values(resources(template, 'AWS::Lambda::Permission')).filter(
    ({ Properties }) => Properties['Principal'] === 'apigateway.amazonaws.com',
  );

  test('path, permission and output fit each other', () => {
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
    // What API Gateway shows Lambda for a POST: <api>/<stage>/<method>/<path>.
    const called = `arn:aws:execute-api:ap-northeast-1:123456789012:api123/v1/POST/${pathPart}`;
    expect(called).toMatch(wildcard(resolve(permission?.Properties['SourceArn'])));
    expect(permission?.Properties).toMatchObject({
      Action: 'lambda:InvokeFunction',
      FunctionName: { 'Fn::GetAtt': ['ReceiveSendGrid', 'Arn'] },
    });
  });

  test('takes any method, in one region, and leaves the bytes as they were signed', () => {
    template.hasResourceProperties('AWS::ApiGateway::RestApi', {
      EndpointConfiguration: { Types: ['REGIONAL'] },
      BinaryMediaTypes: ['*/*'],
    });
    template.resourceCountIs('AWS::ApiGateway::Method', 1);
    template.hasResourceProperties('AWS::ApiGateway::Method', { HttpMethod: 'ANY', AuthorizationType: 'NONE' });
    template.hasResourceProperties('AWS::ApiGateway::Stage', { StageName: 'v1' });
  });

  test("the account's role for access logs is made only where that is set", () => {
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

  test("keeps tables, key, secrets and the account's role, and takes all else away", () => {
    const kept = Object.entries(all).filter(([, { DeletionPolicy }]) => DeletionPolicy === 'Retain');
    const [roles, others] = [kept.filter(isApiGateways), kept.filter((entry) => !isApiGateways(entry))];
    expect(others.map(([logicalId]) => logicalId).toSorted()).toEqual(KEPT);
    expect(roles.map(([, { Type }]) => Type).toSorted()).toEqual(['AWS::ApiGateway::Account', 'AWS::IAM::Role']);
  });

  test('what is kept refers to nothing that is not: it can be imported by itself', () => {
    const references = KEPT.flatMap((logicalId) =>
      Array.from(JSON.stringify(all[logicalId]).matchAll(/"(?:Ref|Fn::GetAtt)":\[?"([^"]+)"/g), ([, target]) => target),
    ).filter((target) => !target?.startsWith('AWS::'));
    expect(new Set(references)).toEqual(new Set(['Key']));
  });

  function isApiGateways([logicalId, { Type }]: [string, { Type: string }]): boolean {
    return Type === 'AWS::ApiGateway::Account' || logicalId.includes('CloudWatchRole');
  }
});

test('every function, policy, key, secret and output says what it is for, and all carries the tag', () => {
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

test('the API is throttled, and logs who called, not what', () => {
  template.hasResourceProperties('AWS::ApiGateway::Stage', {
    MethodSettings: [Match.objectLike({ ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 2000 })],
    AccessLogSetting: { DestinationArn: { 'Fn::GetAtt': ['SendGridWebhookLogs', 'Arn'] } },
  });
  const [stage] = Object.values(resources(template, 'AWS::ApiGateway::Stage'));
  expect(JSON.stringify(stage?.Properties['AccessLogSetting'])).not.toMatch(/path|header|body/i);
});

test('the outputs are those of the design', () => {
  expect(Object.keys(template.toJSON().Outputs).toSorted()).toEqual([
    'AlarmTopicArn',
    'BounceTableName',
    'CustomersMailCloudTimeZone',
    'CustomersMailCloudWebhookUrl',
    'DashboardUrl',
    'FailureQueueUrl',
    'LogMailPolicyArn',
    'MailTableName',
    'ReadBouncesPolicyArn',
    'SendGridRegion',
    'SendGridWebhookUrl',
    'SenderSecretName',
    'SentLogTableName',
    'SpillQueueUrl',
    'WebhookSecretName',
  ]);
});

const keySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.string() }));
const tableSchema = z.object({
  KeySchema: keySchema,
  StreamSpecification: z.object({ StreamViewType: z.string() }).optional(),
  GlobalSecondaryIndexes: z.array(z.object({ IndexName: z.string(), KeySchema: keySchema })).default([]),
});
const environmentSchema = z.object({ Variables: z.record(z.string(), z.unknown()) });

interface Statement {
  Action: string | string[];
  Resource: unknown;
}

function statementsOf(functionId: string): Statement[] {
  return Object.values(resources(template, 'AWS::IAM::Policy'))
    .filter(({ Properties }) => JSON.stringify(Properties['Roles']) === JSON.stringify([{ Ref: `${functionId}Role` }]))
    .flatMap(({ Properties }) => (Properties['PolicyDocument'] as { Statement: Statement[] }).Statement);
}

/** `Mail`, `Mail stream` or `*`. */
function targetOf(resource: unknown): string {
  if (typeof resource === 'string') return resource;
  const { Ref, 'Fn::GetAtt': attribute } = resource as { Ref?: string; 'Fn::GetAtt'?: [string, string] };
  if (Ref !== undefined) return Ref;
  return attribute?.[1] === 'StreamArn' ? `${attribute[0]} stream` : (attribute?.[0] ?? 'unknown');
}

/** Resolves the intrinsics of which addresses and permissions are made. */
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
