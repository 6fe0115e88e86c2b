/**
 * The construct of the two secrets. The template creates them with empty values, once. People fill them in afterwards.
 */
import { RemovalPolicy, SecretValue } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { EMPTY_SENDER_SECRET } from '../lambda/sending/sender-secret.ts';
import { EMPTY_WEBHOOK_SECRET } from '../lambda/webhooks/webhook-secret.ts';
import { acknowledge } from './acknowledge.ts';
import { grantKey } from './encryption-key.ts';
import { fixLogicalId } from './logical-id.ts';

export class Secrets extends Construct {
  /** The keys and credentials that prove that a post comes from its provider. */
  readonly webhook: Secret;
  /** The sender's credentials at the providers. */
  readonly sender: Secret;

  readonly #key: IKey;

  constructor(scope: Construct, id: string, props: { key: IKey }) {
    super(scope, id);
    this.#key = props.key;
    // By its ARN. Otherwise the CDK would add statements to the key's policy that allow only what the account may do
    // anyway.
    const encryptionKey = Key.fromKeyArn(this, 'EncryptionKey', props.key.keyArn);
    const secret = (logicalId: string, description: string, emptyShape: object) => {
      const created = new Secret(this, logicalId, {
        description,
        encryptionKey,
        // Not `generateSecretString`, which makes random text. CloudFormation writes the secret again if this value
        // changes. So it must never change.
        secretStringValue: SecretValue.unsafePlainText(JSON.stringify(emptyShape)),
        removalPolicy: RemovalPolicy.RETAIN,
      });
      fixLogicalId(created, logicalId);
      acknowledge(
        created,
        'SMG4',
        'The values are issued by SendGrid and Customers Mail Cloud: a person rotates them.',
      );
      return created;
    };
    this.webhook = secret(
      'WebhookSecret',
      'Todoke: the public keys and credentials that webhooks are verified with',
      EMPTY_WEBHOOK_SECRET,
    );
    this.sender = secret('SenderSecret', 'Todoke: the credentials that mail is sent with', EMPTY_SENDER_SECRET);
  }

  /** Lets a function read `secret`, and nothing else about it. */
  grantRead(grantee: IGrantable, secret: Secret): void {
    Grant.addToPrincipal({
      grantee,
      actions: ['secretsmanager:GetSecretValue'],
      resourceArns: [secret.secretArn],
    });
    grantKey(grantee, this.#key, 'secretsmanager', ['kms:Decrypt']);
  }
}
