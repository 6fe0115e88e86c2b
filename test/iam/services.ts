/** What AWS services ask IAM themselves, apart from the calls of the functions. */
import * as z from 'zod';
import type { ResolvedTemplate } from '../../local/stack/template.ts';
import type { Policies } from './policies.ts';
import type { IamRequest } from './requests.ts';

export function serviceRequests(template: ResolvedTemplate, { streams }: Policies, region: string): IamRequest[] {
  const requests: IamRequest[] = [];
  const ask = (
    principal: IamRequest['principal'],
    action: string,
    resource: string,
    context: IamRequest['context'] = {},
  ) => requests.push({ principal, action, resource, context });
  const each = <Shape extends z.ZodRawShape>(
    type: string,
    shape: Shape,
    use: (properties: z.output<z.ZodObject<Shape>>, logicalId: string) => void,
  ) => template.resources(type, z.object(shape)).forEach(use);

  each(
    'AWS::Lambda::Function',
    { Role: z.string(), LoggingConfig: z.object({ LogGroup: z.string() }) },
    (it, caller) => {
      ask({ service: 'lambda.amazonaws.com' }, 'sts:AssumeRole', it.Role);
      const logStream = `arn:aws:logs:${region}:${accountOf(it.Role)}:log-group:${it.LoggingConfig.LogGroup}:log-stream:s`;
      for (const action of ['CreateLogStream', 'PutLogEvents']) ask({ caller }, `logs:${action}`, logStream);
    },
  );
  // Lambda asks for this when a mapping is created (Developer Guide, "Using AWS Lambda with Amazon DynamoDB").
  for (const caller of streams.keys()) ask({ caller }, 'dynamodb:ListStreams', '*');

  // User Guide of CloudWatch Logs, "Encrypt log data in CloudWatch Logs using AWS Key Management Service".
  each('AWS::Logs::LogGroup', { KmsKeyId: z.string() }, ({ KmsKeyId }, logicalId) => {
    const logGroup = template.attribute(logicalId, 'Arn').replace(/:\*$/, '');
    for (const action of ['Decrypt', 'Encrypt', 'GenerateDataKey', 'ReEncryptFrom', 'ReEncryptTo']) {
      ask({ service: `logs.${region}.amazonaws.com` }, `kms:${action}`, KmsKeyId, {
        'kms:EncryptionContext:aws:logs:arn': logGroup,
      });
    }
  });
  // User Guide of CloudWatch, "Notifying users on alarm changes", and Developer Guide of SNS, "Key management".
  const keysOfTopics = new Map<string, string>();
  each('AWS::SNS::Topic', { KmsMasterKeyId: z.string() }, ({ KmsMasterKeyId }, logicalId) =>
    keysOfTopics.set(template.ref(logicalId), KmsMasterKeyId),
  );
  each(
    'AWS::CloudWatch::Alarm',
    { AlarmActions: z.array(z.string()), OKActions: z.array(z.string()) },
    ({ AlarmActions, OKActions }, logicalId) => {
      const alarm = template.attribute(logicalId, 'Arn');
      const cloudWatch = { service: 'cloudwatch.amazonaws.com' };
      const context = {
        'aws:SecureTransport': 'true',
        'aws:SourceAccount': accountOf(alarm),
        'aws:SourceArn': alarm,
      };
      for (const topic of new Set([...AlarmActions, ...OKActions])) {
        ask(cloudWatch, 'sns:Publish', topic, context);
        for (const action of ['Decrypt', 'GenerateDataKey']) {
          ask(cloudWatch, `kms:${action}`, keysOfTopics.get(topic) ?? 'no key', context);
        }
      }
    },
  );
  each('AWS::ApiGateway::Account', { CloudWatchRoleArn: z.string() }, ({ CloudWatchRoleArn }) =>
    ask({ service: 'apigateway.amazonaws.com' }, 'sts:AssumeRole', CloudWatchRoleArn),
  );

  // A POST, as API Gateway passes it to Lambda.
  const [apiId] = template.resources('AWS::ApiGateway::RestApi', z.object({})).keys();
  const [stageId] = template.resources('AWS::ApiGateway::Stage', z.object({})).keys();
  each('AWS::ApiGateway::Method', { Integration: z.object({ Uri: z.string() }) }, ({ Integration }) => {
    const target = /functions\/(.+)\/invocations/.exec(Integration.Uri)?.[1] ?? 'no function';
    const api = `arn:aws:execute-api:${region}:${accountOf(target)}:${template.ref(apiId ?? '')}`;
    ask({ service: 'apigateway.amazonaws.com' }, 'lambda:InvokeFunction', target, {
      'aws:SourceArn': `${api}/${template.ref(stageId ?? '')}/POST/unguessable`,
    });
  });
  // Developer Guide of API Gateway, "Create AWS Lambda proxy integrations for HTTP APIs": the path as the route spells it.
  const integrations = new Map<string, string>();
  each('AWS::ApiGatewayV2::Integration', { IntegrationUri: z.string() }, ({ IntegrationUri }, logicalId) =>
    integrations.set(`integrations/${template.ref(logicalId)}`, IntegrationUri),
  );
  each('AWS::ApiGatewayV2::Route', { ApiId: z.string(), RouteKey: z.string(), Target: z.string() }, (route) => {
    const target = integrations.get(route.Target) ?? 'no function';
    const api = `arn:aws:execute-api:${region}:${accountOf(target)}:${route.ApiId}`;
    ask({ service: 'apigateway.amazonaws.com' }, 'lambda:InvokeFunction', target, {
      'aws:SourceArn': `${api}/$default/${route.RouteKey.replace(' ', '')}`,
    });
  });
  // Developer Guide of Lambda, "Control access to Lambda function URLs": both actions, since October 2025.
  each(
    'AWS::Lambda::Url',
    { TargetFunctionArn: z.string(), AuthType: z.string() },
    ({ TargetFunctionArn, AuthType }) => {
      ask('anybody', 'lambda:InvokeFunctionUrl', TargetFunctionArn, { 'lambda:FunctionUrlAuthType': AuthType });
      ask('anybody', 'lambda:InvokeFunction', TargetFunctionArn, { 'lambda:InvokedViaFunctionUrl': 'true' });
    },
  );
  return requests;
}

const accountOf = (arn: string) => arn.split(':')[4] ?? '';
