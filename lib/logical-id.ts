/** Logical ids that outlive a change of the code. */
import { CfnElement } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Gives a construct's resource a logical id that is short, readable in generated names (`Todoke-Mail-1A2B3C`),
 * and independent of where in the tree the construct stands: moving code never replaces a table, key or secret.
 */
export function fixLogicalId(construct: IConstruct, logicalId: string): void {
  const resource = construct.node.defaultChild;
  if (!(resource instanceof CfnElement)) {
    throw new Error(`Cannot fix the logical id of ${construct.node.path}: it has no resource of its own`);
  }
  resource.overrideLogicalId(logicalId);
}
