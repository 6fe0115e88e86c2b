/** Customers Mail Cloud's webhook: a function URL, and what records its posts now or, from the spill queue, later. */
import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping, FunctionUrlAuthType } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { LogDefaults } from './encrypted-log-group.ts';
import { fixLogicalId } from './logical-id.ts';
import type { Queues } from './queues.ts';
import { grantRecording, recordingEnvironment } from './recording.ts';
import type { Secrets } from './secrets.ts';
import type { Settings } from './settings.ts';
import type { Storage } from './storage.ts';
import { TodokeFunction } from './todoke-function.ts';

export interface CustomersMailCloudReceiverProps {
  readonly defaults: LogDefaults;
  readonly settings: Settings;
  readonly storage: Storage;
  readonly secrets: Secrets;
  readonly queues: Queues;
}

export class CustomersMailCloudReceiver extends Construct {
  /** The address to enter at Customers Mail Cloud. */
  readonly webhookUrl: string;
  readonly receive: TodokeFunction;
  readonly recordSpilled: TodokeFunction;

  constructor(scope: Construct, id: string, props: CustomersMailCloudReceiverProps) {
    super(scope, id);
    const { defaults, settings, storage, secrets, queues } = props;
    const environment = {
      ...recordingEnvironment(this, storage, settings),
      CUSTOMERS_MAIL_CLOUD_TIME_ZONE: settings.customersMailCloudTimeZone,
    };

    this.receive = new TodokeFunction(this, 'ReceiveCustomersMailCloud', {
      defaults,
      entry: 'receive-customers-mail-cloud',
      description: "Records what Customers Mail Cloud's webhook reports",
      timeout: Duration.seconds(30),
      environment: {
        ...environment,
        WEBHOOK_SECRET: secrets.webhook.secretArn,
        SPILL_QUEUE_URL: queues.spill.queueUrl,
      },
    });
    const { receive } = this;
    secrets.grantRead(receive, secrets.webhook);
    queues.grantSend(receive, queues.spill);
    const functionUrl = receive.addFunctionUrl({ authType: FunctionUrlAuthType.NONE });
    fixLogicalId(functionUrl, 'CustomersMailCloudWebhook');
    this.webhookUrl = functionUrl.url;

    this.recordSpilled = new TodokeFunction(this, 'RecordSpilledPosts', {
      defaults,
      entry: 'record-spilled-posts',
      description: 'Records the webhook posts that could not be recorded when they came',
      timeout: Duration.minutes(1),
      environment,
    });
    const { recordSpilled } = this;
    queues.grantConsume(recordSpilled, queues.spill);
    new EventSourceMapping(recordSpilled, 'Queue', {
      target: recordSpilled,
      eventSourceArn: queues.spill.queueArn,
      batchSize: 5,
      reportBatchItemFailures: true,
    });

    for (const recorder of [receive, recordSpilled]) grantRecording(recorder, storage);
  }
}
