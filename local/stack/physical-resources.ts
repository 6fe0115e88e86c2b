/** The names, ARNs and addresses of the stack's resources on this machine. */
import * as z from 'zod';
import { type PhysicalResource, ResolvedTemplate, type Template } from './template.ts';

/** AWS's own convention for a fictitious account. */
export const LOCAL_ACCOUNT = '000000000000';

/** The names of the local stack, and the addresses of its servers. */
export interface LocalStack {
  readonly stackName: string;
  /** In the stack's id; stable for one data folder. */
  readonly stackUuid: string;
  readonly region: string;
  /** Where the webhooks are served, such as `http://127.0.0.1:8787`. */
  readonly gatewayOrigin: string;
  /** Where Secrets Manager, SQS and EventBridge are answered. */
  readonly awsApiOrigin: string;
}

/** Resolves the references of a template to names and addresses on this machine. */
export function resolveTemplate(template: Template, stack: LocalStack): ResolvedTemplate {
  return new ResolvedTemplate(template, physicalResources(template, stack), pseudoParameters(stack));
}

/** CloudFormation's pseudo parameters for the local stack. */
function pseudoParameters(stack: LocalStack): Record<string, string> {
  const { region, stackName, stackUuid } = stack;
  return {
    'AWS::AccountId': LOCAL_ACCOUNT,
    'AWS::Region': region,
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
    'AWS::StackName': stackName,
    'AWS::StackId': `arn:aws:cloudformation:${region}:${LOCAL_ACCOUNT}:stack/${stackName}/${stackUuid}`,
  };
}

/** The local name of a resource, in the form of a generated one: `Todoke-Mail-local`. The same at every start. */
export const physicalName = (stackName: string, logicalId: string) => `${stackName}-${logicalId}-local`;

/** A physical id for every resource of the template, and the attributes of the types that others refer to. */
function physicalResources(template: Template, stack: LocalStack): Map<string, PhysicalResource> {
  return new Map(
    Object.entries(template.Resources).map(([logicalId, { Type, Properties }]) => [
      logicalId,
      physicalResource(Type, logicalId, Properties, stack),
    ]),
  );
}

function physicalResource(
  type: string,
  logicalId: string,
  properties: Record<string, unknown>,
  stack: LocalStack,
): PhysicalResource {
  const name = physicalName(stack.stackName, logicalId);
  const arn = (service: string, resource: string, region = stack.region) =>
    `arn:aws:${service}:${region}:${LOCAL_ACCOUNT}:${resource}`;
  switch (type) {
    case 'AWS::ApiGateway::RestApi':
      return { ref: logicalId.toLowerCase(), attributes: { RootResourceId: `${logicalId}Root` } };
    case 'AWS::ApiGateway::Stage':
      return { ref: String(properties['StageName']), attributes: {} };
    case 'AWS::ApiGatewayV2::Api':
      return { ref: logicalId.toLowerCase(), attributes: { ApiEndpoint: stack.gatewayOrigin } };
    case 'AWS::CloudWatch::Alarm':
      return { ref: name, attributes: { Arn: arn('cloudwatch', `alarm:${name}`) } };
    case 'AWS::DynamoDB::Table': {
      const table = arn('dynamodb', `table/${name}`);
      return { ref: name, attributes: { Arn: table, StreamArn: `${table}/stream/local` } };
    }
    case 'AWS::IAM::ManagedPolicy': {
      const policy = arn('iam', `policy/${name}`, '');
      return { ref: policy, attributes: { PolicyArn: policy } };
    }
    case 'AWS::IAM::Role':
      return { ref: name, attributes: { Arn: arn('iam', `role/${name}`, '') } };
    case 'AWS::KMS::Key':
      return { ref: name, attributes: { Arn: arn('kms', `key/${name}`), KeyId: name } };
    case 'AWS::Lambda::Function':
      return { ref: name, attributes: { Arn: arn('lambda', `function:${name}`) } };
    case 'AWS::Lambda::Url':
      return { ref: name, attributes: { FunctionUrl: `${stack.gatewayOrigin}${functionUrlPath(properties)}/` } };
    case 'AWS::Logs::LogGroup':
      return { ref: name, attributes: { Arn: arn('logs', `log-group:${name}:*`) } };
    case 'AWS::SecretsManager::Secret': {
      // The CDK takes the name out of the ARN and counts on CloudFormation's form: logical id, hyphen, random letters.
      const secret = arn('secretsmanager', `secret:${logicalId}-local-000000`);
      return { ref: secret, attributes: { Id: secret } };
    }
    case 'AWS::SNS::Topic':
      return { ref: arn('sns', name), attributes: { TopicArn: arn('sns', name), TopicName: name } };
    case 'AWS::SQS::Queue': {
      const url = `${stack.awsApiOrigin}/${LOCAL_ACCOUNT}/${name}`;
      return { ref: url, attributes: { Arn: arn('sqs', name), QueueName: name, QueueUrl: url } };
    }
    default:
      return { ref: name, attributes: {} };
  }
}

const functionUrl = z.object({
  TargetFunctionArn: z.object({ 'Fn::GetAtt': z.tuple([z.string(), z.literal('Arn')]) }),
});

/**
 * Where a function URL is served, by its unresolved properties: on the port of all webhooks, under the function's name.
 */
function functionUrlPath(properties: unknown): string {
  const [logicalId] = functionUrl.parse(properties).TargetFunctionArn['Fn::GetAtt'];
  return `/function-url/${logicalId}`;
}
