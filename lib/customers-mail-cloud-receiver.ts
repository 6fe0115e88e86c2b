/** The construct of Customers Mail Cloud's webhook: a function URL, and the function that queues its posts. */
import { FunctionUrlAuthType } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { fixLogicalId } from './logical-id.ts';
import { type ReceiverProps, receiverFunction } from './receiver-function.ts';
import type { TodokeFunction } from './todoke-function.ts';

export class CustomersMailCloudReceiver extends Construct {
  /** The address to enter at Customers Mail Cloud. */
  readonly webhookUrl: string;
  readonly receive: TodokeFunction;

  constructor(scope: Construct, id: string, props: ReceiverProps) {
    super(scope, id);
    this.receive = receiverFunction(this, 'ReceiveCustomersMailCloud', props, {
      entry: 'lambda/receive-customers-mail-cloud.ts',
      description: "Receives Customers Mail Cloud's webhook: verifies each post and queues it",
      reservedConcurrency: props.settings.customersMailCloudReceiverReservedConcurrency,
    });
    const functionUrl = this.receive.addFunctionUrl({ authType: FunctionUrlAuthType.NONE });
    fixLogicalId(functionUrl, 'CustomersMailCloudWebhook');
    this.webhookUrl = functionUrl.url;
  }
}
