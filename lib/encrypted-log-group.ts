/** Makes an encrypted log group that is deleted with the stack. */
import { RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { fixLogicalId } from './logical-id.ts';

/** What all log groups share. */
export interface LogDefaults {
  readonly key: IKey;
  /** Days; one of the values that CloudWatch Logs accepts. */
  readonly logRetentionDays: number;
}

export function encryptedLogGroup(scope: Construct, id: string, { key, logRetentionDays }: LogDefaults): LogGroup {
  const logGroup = new LogGroup(scope, id, {
    retention: logRetentionDays,
    encryptionKey: key,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  fixLogicalId(logGroup, id);
  return logGroup;
}
