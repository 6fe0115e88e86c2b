import { Duration, Fn, Stack } from 'aws-cdk-lib';
import { CfnResource, EndpointType, LambdaIntegration, RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Construct } from 'constructs';
import { fixLogicalId } from './logical-id.ts';
import type { Secrets } from './secrets.ts';
import type { Settings } from './settings.ts';
import type { Storage } from './storage.ts';
import { type FunctionDefaults, TodokeFunction } from './todoke-function.ts';

export interface SendGridReceiverProps {
  readonly defaults: FunctionDefaults;
  readonly settings: Settings;
  readonly storage: Storage;
  readonly secrets: Secrets;
}

/** SendGrid's Event Webhook: a REST API with one unguessable path, and the function behind it. */
export class SendGridReceiver extends Construct {
  /** The address to enter at SendGrid. */
  readonly webhookUrl: string;

  constructor(scope: Construct, id: string, props: SendGridReceiverProps) {
    super(scope, id);
    const { defaults, settings, storage, secrets } = props;

    const receive = new TodokeFunction(this, 'ReceiveSendGrid', {
      defaults,
      entry: 'receive-sendgrid',
      description: "Records what SendGrid's Event Webhook reports",
      timeout: Duration.seconds(29),
      environment: {
        SENT_LOG_TABLE: storage.sentLog.tableName,
        BOUNCE_TABLE: storage.bounce.tableName,
        WEBHOOK_SECRET: secrets.webhook.secretArn,
        RETENTION_DAYS: String(settings.retentionDays),
      },
      ...(settings.sendgridReceiverReservedConcurrency !== undefined && {
        reservedConcurrentExecutions: settings.sendgridReceiverReservedConcurrency,
      }),
    });
    storage.grant(receive, storage.sentLog, 'BatchGetItem', 'BatchWriteItem', 'PutItem');
    storage.grant(receive, storage.bounce, 'BatchWriteItem', 'PutItem');
    secrets.grantRead(receive, secrets.webhook);

    const api = new RestApi(this, 'SendGridWebhook', {
      restApiName: `${Stack.of(this).stackName} SendGrid webhook`,
      description: "Receives SendGrid's Event Webhook",
      endpointTypes: [EndpointType.REGIONAL],
      // The signature covers the bytes as they were sent: nothing on the way may decode them.
      binaryMediaTypes: ['*/*'],
      cloudWatchRole: settings.apiGatewayAccountRole === 'create',
      deployOptions: { stageName: 'v1', throttlingRateLimit: 1000, throttlingBurstLimit: 2000 },
    });
    fixLogicalId(api, 'SendGridWebhook');
    // The CDK's own output shows the address without its path, which answers nobody.
    api.node.tryRemoveChild('Endpoint');

    // The stack id's UUID: nobody can guess it, and it never changes while the stack lives. A path part cannot be made
    // of a token, so a placeholder stands in for it; its braces make the function's permission fit any path.
    const hook = api.root.addResource('{unguessable}');
    hook.addMethod('ANY', new LambdaIntegration(receive, { allowTestInvoke: false }));
    const unguessable = Fn.select(2, Fn.split('/', Stack.of(this).stackId));
    const resource = hook.node.defaultChild;
    if (!(resource instanceof CfnResource)) throw new Error('Cannot set the path of the webhook: it has no resource');
    resource.pathPart = unguessable;
    this.webhookUrl = `${api.url}${unguessable}`;
  }
}
