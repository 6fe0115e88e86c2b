/** What a function needs that records events: the environment and the grants. */
import { Stack } from 'aws-cdk-lib';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { Settings } from './settings.ts';
import type { Storage } from './storage.ts';

/** What recordEvents reads, and the dimension of the metrics. */
export function recordingEnvironment(scope: Construct, storage: Storage, settings: Settings): Record<string, string> {
  return {
    STACK_NAME: Stack.of(scope).stackName,
    SENT_LOG_TABLE: storage.sentLog.tableName,
    BOUNCE_TABLE: storage.bounce.tableName,
    RETENTION_DAYS: String(settings.retentionDays),
  };
}

/** Lets a function do what recordEvents does. */
export function grantRecording(grantee: IGrantable, storage: Storage): void {
  storage.grant(grantee, storage.sentLog, 'BatchGetItem', 'BatchWriteItem', 'PutItem');
  storage.grant(grantee, storage.bounce, 'BatchWriteItem', 'PutItem');
}
