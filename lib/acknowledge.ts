/** Accepts what cdk-nag finds, with the reason. */
import { CfnResource, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Accepts a finding of cdk-nag's AwsSolutions on one resource.
 *
 * @param construct the resource, or the construct whose own resource it is
 * @param rule such as `APIG2`, or `IAM5[Resource::*]`
 * @param reason one that a reviewer can check
 */
export function acknowledge(construct: IConstruct, rule: string, reason: string): void {
  const resource = CfnResource.isCfnResource(construct) ? construct : construct.node.defaultChild;
  if (!resource) throw new Error(`Cannot acknowledge ${rule} of ${construct.node.path}: it has no resource of its own`);
  Validations.of(resource).acknowledge({ id: `AwsSolutions::AwsSolutions-${rule}`, reason });
}
