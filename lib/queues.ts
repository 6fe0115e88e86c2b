/**
 * The construct of the queues: EventQueue for posts, RetryQueue for deferred sendings, FailureQueue for given-up work.
 */
import { Duration } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IEventSourceDlq } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { grantKey } from './encryption-key.ts';
import { fixLogicalId } from './logical-id.ts';

/** The largest size that SQS offers. webhooks/event-queue.ts splits a post that is larger. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

export class Queues extends Construct {
  /** Verified posts. The receivers fill the queue, and record-events empties it. */
  readonly events: Queue;
  /** Sendings that wait for their next attempt. send-mail fills and empties the queue. */
  readonly retries: Queue;
  /** Work that was given up after the last attempt, for a person to look at. */
  readonly failures: Queue;
  readonly #key: IKey;

  constructor(scope: Construct, id: string, props: { key: IKey }) {
    super(scope, id);
    this.#key = props.key;
    this.failures = this.#queue('FailureQueue', {});
    this.events = this.#queue('EventQueue', {
      // Six times the function's timeout, as Lambda's Developer Guide asks for.
      visibilityTimeout: Duration.minutes(6),
      // One attempt in six minutes: a thousand attempts, the most that SQS counts, take a little more than four days.
      deadLetterQueue: { queue: this.failures, maxReceiveCount: 1000 },
    });
    this.retries = this.#queue('RetryQueue', {
      visibilityTimeout: Duration.minutes(18),
      // Each attempt puts a new message. This one is received again only if its invocation crashed or could not put another.
      deadLetterQueue: { queue: this.failures, maxReceiveCount: 20 },
    });
  }

  /** Lets a function put messages into `queue`, encrypted with the key. */
  grantSend(grantee: IGrantable, queue: Queue): void {
    Grant.addToPrincipal({ grantee, actions: ['sqs:SendMessage'], resourceArns: [queue.queueArn] });
    grantKey(grantee, this.#key, 'sqs', ['kms:Decrypt', 'kms:GenerateDataKey']);
  }

  /** Lets a function process the messages of `queue`. Lambda receives and deletes them with the function's role. */
  grantConsume(grantee: IGrantable, queue: Queue): void {
    Grant.addToPrincipal({
      grantee,
      actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
      resourceArns: [queue.queueArn],
    });
    grantKey(grantee, this.#key, 'sqs', ['kms:Decrypt']);
  }

  /** Where a stream's event source reports records that it gave up. Lambda uses the function's role for that. */
  get failureDestination(): IEventSourceDlq {
    return {
      bind: (_, handler) => {
        this.grantSend(handler, this.failures);
        return { destination: this.failures.queueArn };
      },
    };
  }

  #queue(id: string, props: QueueProps): Queue {
    const queue = new Queue(this, id, {
      encryption: QueueEncryption.KMS,
      encryptionMasterKey: this.#key,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      maxMessageSizeBytes: MAX_MESSAGE_BYTES,
      ...props,
    });
    fixLogicalId(queue, id);
    return queue;
  }
}
