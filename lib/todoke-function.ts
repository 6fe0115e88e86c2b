import { type Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { EnvironmentVariable } from '../lambda/aws/environment.ts';
import { bundle } from './bundle.ts';
import { fixLogicalId } from './logical-id.ts';

const RUNTIME = Runtime.NODEJS_24_X;

/** What all functions share. */
export interface FunctionDefaults {
  readonly key: IKey;
  /** Days; one of those that CloudWatch Logs takes. */
  readonly logRetentionDays: number;
}

export interface TodokeFunctionProps {
  readonly defaults: FunctionDefaults;
  /** The file directly in lambda/, without its ending. */
  readonly entry: string;
  readonly description: string;
  readonly timeout: Duration;
  readonly environment: Partial<Record<EnvironmentVariable, string>>;
  readonly reservedConcurrentExecutions?: number;
}

/** A function of Todoke: one file in lambda/, bundled by esbuild, with an encrypted log group. */
export class TodokeFunction extends LambdaFunction {
  constructor(scope: Construct, id: string, props: TodokeFunctionProps) {
    const { defaults, entry, ...rest } = props;
    const logGroup = new LogGroup(scope, `${id}Logs`, {
      retention: defaults.logRetentionDays,
      encryptionKey: defaults.key,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    fixLogicalId(logGroup, `${id}Logs`);
    // Not the managed policy that the CDK would attach: that one may create and write any log group.
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    fixLogicalId(role, `${id}Role`);
    logGroup.grantWrite(role);
    super(scope, id, {
      ...rest,
      code: bundle(entry, RUNTIME),
      handler: 'index.handler',
      runtime: RUNTIME,
      architecture: Architecture.ARM_64,
      memorySize: 1024,
      logGroup,
      role,
    });
    fixLogicalId(this, id);
  }
}
