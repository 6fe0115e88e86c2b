/**
 * The construct of the one KMS key, which encrypts the tables, secrets, queues, log groups and the topic of the alarms.
 */
import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Grant, type IGrantable, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { fixLogicalId } from './logical-id.ts';

export class EncryptionKey extends Key {
  constructor(scope: Construct, id: string) {
    const stack = Stack.of(scope);
    super(scope, id, {
      description: `${stack.stackName}: encrypts the tables, secrets, queues, logs and alarms of Todoke`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    fixLogicalId(this, id);
    // CloudWatch Logs uses the key as its own service principal. Generated names of log groups begin with the stack's
    // name.
    this.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*'],
        resources: ['*'],
        conditions: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': stack.formatArn({
              service: 'logs',
              resource: 'log-group',
              resourceName: `${stack.stackName}-*`,
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          },
        },
      }),
    );
  }
}

/** Lets `grantee` use the key, but only through one AWS service (`dynamodb`, `sqs`, `secretsmanager`). */
export function grantKey(grantee: IGrantable, key: IKey, service: string, actions: readonly string[]): void {
  Grant.addToPrincipal({
    grantee,
    actions: [...actions],
    resourceArns: [key.keyArn],
    conditions: { StringEquals: { 'kms:ViaService': `${service}.${key.stack.region}.amazonaws.com` } },
  });
}
