/** Fixes logical ids, so that they do not change when code is moved. */
import { CfnElement } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Gives a construct's resource a logical id that is short, readable in generated names (`Todoke-Mail-1A2B3C`),
 * and independent of the construct's place in the tree. So moving code never replaces a table, key or secret.
 */
export function fixLogicalId(construct: IConstruct, logicalId: string): void {
  const resource = construct.node.defaultChild;
  if (!(resource instanceof CfnElement)) {
    throw new Error(`Cannot fix the logical id of ${construct.node.path}: it has no resource of its own`);
  }
  resource.overrideLogicalId(logicalId);
}
