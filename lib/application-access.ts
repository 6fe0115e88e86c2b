/** The construct of the managed policies for the roles of applications. */
import { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { fixLogicalId } from './logical-id.ts';
import type { Storage } from './storage.ts';

export class ApplicationAccess extends Construct {
  /** May put items into Mail, and make no other call. A put can return the item that it replaces. */
  readonly sendMail: ManagedPolicy;
  /** May put log rows, and make no other call. A put can return the row that it replaces. */
  readonly logMail: ManagedPolicy;
  /** May read Bounce, and change nothing. */
  readonly readBounces: ManagedPolicy;

  constructor(scope: Construct, id: string, { storage }: { storage: Storage }) {
    super(scope, id);
    this.sendMail = this.#policy('SendMailPolicy', 'May send mail, by the table Mail of Todoke');
    storage.grant(this.sendMail, storage.mail, 'PutItem');

    this.logMail = this.#policy('LogMailPolicy', 'May log the mail that it sends, in the sent log of Todoke');
    storage.grant(this.logMail, storage.sentLog, 'PutItem');

    this.readBounces = this.#policy('ReadBouncesPolicy', 'May read what bounced, was dropped or failed, in Todoke');
    storage.grantReadBounces(this.readBounces);
  }

  #policy(logicalId: string, description: string): ManagedPolicy {
    const policy = new ManagedPolicy(this, logicalId, { description });
    fixLogicalId(policy, logicalId);
    return policy;
  }
}
