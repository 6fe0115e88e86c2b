/** A function of Todoke: one file in lambda/, bundled by esbuild, with an encrypted log group. */
import type { Duration } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { Construct, IConstruct } from 'constructs';
import type { EnvironmentVariable } from '../lambda/aws/environment.ts';
import { bundle } from './bundle.ts';
import { encryptedLogGroup, type LogDefaults } from './encrypted-log-group.ts';
import { fixLogicalId } from './logical-id.ts';

const RUNTIME = Runtime.NODEJS_24_X;

export interface TodokeFunctionProps {
  readonly defaults: LogDefaults;
  /** The file directly in lambda/, without its ending. */
  readonly entry: string;
  readonly description: string;
  readonly timeout: Duration;
  readonly environment: Partial<Record<EnvironmentVariable, string>>;
  readonly reservedConcurrentExecutions?: number;
  /** Files beside the code, by name. Only made when the code is. */
  readonly files?: () => Readonly<Record<string, string>>;
}

export class TodokeFunction extends LambdaFunction {
  /** Holds what was granted. */
  readonly defaultPolicy: IConstruct;

  constructor(scope: Construct, id: string, props: TodokeFunctionProps) {
    const { defaults, entry, files = () => ({}), ...rest } = props;
    const logGroup = encryptedLogGroup(scope, `${id}Logs`, defaults);
    // Not the managed policy that the CDK would attach: that one may create and write any log group.
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    fixLogicalId(role, `${id}Role`);
    logGroup.grantWrite(role);
    const defaultPolicy = role.node.findChild('DefaultPolicy');
    super(scope, id, {
      ...rest,
      code: bundle(entry, RUNTIME, files),
      handler: 'index.handler',
      runtime: RUNTIME,
      architecture: Architecture.ARM_64,
      memorySize: 1024,
      logGroup,
      role,
    });
    fixLogicalId(this, id);
    this.defaultPolicy = defaultPolicy;
  }
}
