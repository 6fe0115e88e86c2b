/**
 * The construct of a function: one file in lambda/, bundled by esbuild, with its own role and an encrypted log group.
 */
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
  /** The file of the handler, such as `lambda/send-mail.ts`. */
  readonly entry: string;
  readonly description: string;
  readonly timeout: Duration;
  readonly environment: Partial<Record<EnvironmentVariable, string>>;
  readonly reservedConcurrentExecutions?: number;
  /** Makes the files beside the code, by name. It is called only when the code is bundled. */
  readonly files?: () => Readonly<Record<string, string>>;
}

export class TodokeFunction extends LambdaFunction {
  /** The policy that gets the grants. */
  readonly defaultPolicy: IConstruct;

  constructor(scope: Construct, id: string, props: TodokeFunctionProps) {
    const { defaults, entry, files = () => ({}), ...rest } = props;
    const logGroup = encryptedLogGroup(scope, `${id}Logs`, defaults);
    // The CDK would attach a managed policy that allows the function to create and write any log group.
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
