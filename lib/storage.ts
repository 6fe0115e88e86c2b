import { RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  BillingMode,
  ProjectionType,
  StreamViewType,
  Table,
  TableEncryption,
  type TableProps,
} from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { grantKey } from './encryption-key.ts';
import { fixLogicalId } from './logical-id.ts';

/** The actions on a table that functions are granted, one by one. */
type TableAction = 'BatchGetItem' | 'BatchWriteItem' | 'GetItem' | 'PutItem' | 'Query' | 'UpdateItem';

const READS = new Set<TableAction>(['BatchGetItem', 'GetItem', 'Query']);

/** The three tables: what to send, what became of it, and what went wrong. */
export class Storage extends Construct {
  readonly mail: Table;
  readonly sentLog: Table;
  readonly bounce: Table;
  readonly #key: IKey;

  constructor(scope: Construct, id: string, props: { key: IKey }) {
    super(scope, id);
    this.#key = props.key;

    this.mail = this.#table('Mail', {
      partitionKey: { name: 'id', type: AttributeType.STRING },
      stream: StreamViewType.NEW_IMAGE,
    });

    this.sentLog = this.#table('SentLog', {
      partitionKey: { name: 'messageId', type: AttributeType.STRING },
      sortKey: { name: 'entry', type: AttributeType.STRING },
      stream: StreamViewType.NEW_IMAGE,
    });
    this.sentLog.addGlobalSecondaryIndex({
      indexName: 'byDay',
      partitionKey: { name: 'day', type: AttributeType.STRING },
      sortKey: { name: 'sentAt', type: AttributeType.STRING },
      projectionType: ProjectionType.INCLUDE,
      nonKeyAttributes: ['provider', 'mailId', 'from', 'to', 'subject'],
    });

    this.bounce = this.#table('Bounce', {
      partitionKey: { name: 'fullMessageId', type: AttributeType.STRING },
      sortKey: { name: 'eventId', type: AttributeType.STRING },
    });
    this.bounce.addGlobalSecondaryIndex({
      indexName: 'byRecipient',
      partitionKey: { name: 'toEmail', type: AttributeType.STRING },
      sortKey: { name: 'occurredAt', type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });
    this.bounce.addGlobalSecondaryIndex({
      indexName: 'byDay',
      partitionKey: { name: 'day', type: AttributeType.STRING },
      sortKey: { name: 'occurredAt', type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });
  }

  /** Lets a function do `actions` on `table`, and use the table's key for them, through DynamoDB only. */
  grant(grantee: IGrantable, table: Table, ...actions: TableAction[]): void {
    Grant.addToPrincipal({
      grantee,
      actions: actions.map((action) => `dynamodb:${action}`),
      resourceArns: [table.tableArn],
    });
    // DynamoDB asks for these in the caller's name (Developer Guide, "DynamoDB encryption at rest: usage notes").
    const keyActions = ['kms:Decrypt', 'kms:DescribeKey'];
    if (actions.some((action) => !READS.has(action))) {
      keyActions.push('kms:Encrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*');
    }
    grantKey(grantee, this.#key, 'dynamodb', keyActions);
  }

  #table(id: string, props: Omit<TableProps, 'tableName'>): Table {
    const table = new Table(this, id, {
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: this.#key,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      timeToLiveAttribute: 'expiresAt',
      removalPolicy: RemovalPolicy.RETAIN,
      ...props,
    });
    fixLogicalId(table, id);
    return table;
  }
}
