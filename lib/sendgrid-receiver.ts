/** The construct of SendGrid's Event Webhook: a REST API with one unguessable path, and the function behind it. */
import { Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  CfnResource,
  CfnRestApi,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  RestApi,
  SecurityPolicy,
} from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import { encryptedLogGroup } from './encrypted-log-group.ts';
import { fixLogicalId } from './logical-id.ts';
import { type ReceiverProps, receiverFunction } from './receiver-function.ts';
import type { TodokeFunction } from './todoke-function.ts';

/** A line of the access log. It has no path, which must stay secret, no header and no content. */
const ACCESS_LOG = {
  requestId: '$context.requestId',
  requestTime: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  method: '$context.httpMethod',
  status: '$context.status',
  responseLength: '$context.responseLength',
  latencyMs: '$context.responseLatency',
  integrationStatus: '$context.integration.status',
  error: '$context.error.responseType',
};
const PUSH_TO_CLOUDWATCH_LOGS =
  'arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs';

export class SendGridReceiver extends Construct {
  /** The address to enter at SendGrid. */
  readonly webhookUrl: string;
  readonly api: RestApi;
  readonly receive: TodokeFunction;

  constructor(scope: Construct, id: string, props: ReceiverProps) {
    super(scope, id);
    const { defaults, settings } = props;
    this.receive = receiverFunction(this, 'ReceiveSendGrid', props, {
      entry: 'lambda/receive-sendgrid.ts',
      description: "Receives SendGrid's Event Webhook: verifies each post and queues it",
      reservedConcurrency: settings.sendgridReceiverReservedConcurrency,
    });
    const { receive } = this;

    const accessLogs = encryptedLogGroup(this, 'SendGridWebhookLogs', defaults);
    this.api = new RestApi(this, 'SendGridWebhook', {
      restApiName: `${Stack.of(this).stackName} SendGrid webhook`,
      description: "Receives SendGrid's Event Webhook",
      endpointTypes: [EndpointType.REGIONAL],
      // The signature covers the bytes as they were sent: nothing on the way may decode them.
      binaryMediaTypes: ['*/*'],
      // The role belongs to the account. It is kept when the stack is deleted, because other APIs may use it by then.
      ...(settings.apiGatewayAccountRole === 'create'
        ? { cloudWatchRole: true, cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN }
        : { cloudWatchRole: false }),
      deployOptions: {
        stageName: 'v1',
        throttlingRateLimit: 1000,
        // Below the account's default burst in every region.
        throttlingBurstLimit: 1000,
        accessLogDestination: new LogGroupLogDestination(accessLogs),
        accessLogFormat: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
    });
    const { api } = this;
    fixLogicalId(api, 'SendGridWebhook');
    fixLogicalId(api.deploymentStage, 'SendGridWebhookStage');
    // A Regional API accepts TLS 1.0 by default. This policy needs an access mode. STRICT would only add checks of the
    // endpoint type and the host name, and each post is signed.
    const restApi = api.node.defaultChild;
    if (!(restApi instanceof CfnRestApi)) throw new Error('Cannot set the TLS policy: the API has no resource');
    restApi.securityPolicy = SecurityPolicy.TLS13_1_2_PFS_PQ_2025_09;
    restApi.endpointAccessMode = 'BASIC';
    // The CDK's own output shows the address without its path, which leads nowhere.
    api.node.tryRemoveChild('Endpoint');

    // The path is the UUID in the stack id. Nobody can guess it, and it never changes. The CDK does not accept a token
    // as a path part, so a placeholder replaces it. With braces it makes the function's permission fit any path.
    const hook = api.root.addResource('{unguessable}');
    const method = hook.addMethod('ANY', new LambdaIntegration(receive, { allowTestInvoke: false }));
    const unguessable = Fn.select(2, Fn.split('/', Stack.of(this).stackId));
    const resource = hook.node.defaultChild;
    if (!(resource instanceof CfnResource)) throw new Error('Cannot set the path of the webhook: it has no resource');
    resource.pathPart = unguessable;
    this.webhookUrl = `${api.url}${unguessable}`;

    acknowledge(
      api,
      'APIG2',
      'The function verifies the signature over the bytes first, and then validates what they say.',
    );
    const stage = api.deploymentStage;
    acknowledge(
      stage,
      'APIG3',
      'Throttled, and only what SendGrid signed is read. A web ACL can be attached at any time.',
    );
    acknowledge(stage, 'APIG6', 'There are access logs. Execution logs would hold the unguessable path, unencrypted.');
    acknowledge(
      method,
      'APIG4',
      "SendGrid cannot sign in to AWS. The function verifies SendGrid's signature of each post.",
    );
    acknowledge(method, 'COG4', "SendGrid cannot sign in to Cognito. The function verifies SendGrid's signature.");
    const role = api.node.tryFindChild('CloudWatchRole');
    if (role)
      acknowledge(role, `IAM4[Policy::${PUSH_TO_CLOUDWATCH_LOGS}]`, 'AWS made it for just this role, the account’s.');
  }
}
