/** The construct of the SNS topic of the alarms. People subscribe to it. */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { fixLogicalId } from './logical-id.ts';

export interface AlarmTopicProps {
  readonly key: Key;
  /** Gets the alarms, after its owner confirmed the subscription by the link in the first mail. */
  readonly email: string | undefined;
}

export class AlarmTopic extends Topic {
  constructor(scope: Construct, id: string, { key, email }: AlarmTopicProps) {
    super(scope, id, { displayName: `${Stack.of(scope).stackName} alarms`, masterKey: key, enforceSSL: true });
    fixLogicalId(this, id);
    if (email !== undefined) this.addSubscription(new EmailSubscription(email));

    // A policy of its own replaces the topic's default policy, which would let the account's alarms publish.
    this.addToResourcePolicy(alarmsMay(['sns:Publish'], this.topicArn, Stack.of(this)));
    // CloudWatch uses the key as its own service principal (User Guide, "Notifying users on alarm changes").
    key.addToResourcePolicy(alarmsMay(['kms:Decrypt', 'kms:GenerateDataKey*'], '*', Stack.of(this)));
  }
}

/** Lets only this stack's alarms do `actions`. Their generated names begin with the stack's name. */
function alarmsMay(actions: string[], resource: string, stack: Stack): PolicyStatement {
  const alarms = stack.formatArn({
    service: 'cloudwatch',
    resource: 'alarm',
    resourceName: `${stack.stackName}-*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return new PolicyStatement({
    principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
    actions,
    resources: [resource],
    conditions: { StringEquals: { 'aws:SourceAccount': stack.account }, ArnLike: { 'aws:SourceArn': alarms } },
  });
}
