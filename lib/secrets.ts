/** The two secrets. A template gives them their empty shape once; people fill them in afterwards. */
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
  /** What proves that a webhook comes from the provider. */
  readonly webhook: Secret;
  /** What the sender signs in with. */
  readonly sender: Secret;

  readonly #key: IKey;

  constructor(scope: Construct, id: string, props: { key: IKey }) {
    super(scope, id);
    this.#key = props.key;
    // By its ARN only: the CDK would write into the key's policy what the account may do with it anyway.
    const encryptionKey = Key.fromKeyArn(this, 'EncryptionKey', props.key.keyArn);
    const secret = (logicalId: string, description: string, emptyShape: object) => {
      const created = new Secret(this, logicalId, {
        description,
        encryptionKey,
        // Not `generateSecretString`: that is random text. CloudFormation writes a value only when this one changes,
        // so it must stay as it is for ever.
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
