/** The three tables: what to send, what became of it, and what went wrong. */
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
type TableAction =
  | 'BatchGetItem'
  | 'BatchWriteItem'
  | 'DeleteItem'
  | 'GetItem'
  | 'PutItem'
  | 'Query'
  | 'Scan'
  | 'UpdateItem';

const READS = new Set<TableAction>(['BatchGetItem', 'GetItem', 'Query', 'Scan']);

/**
 * What DynamoDB asks of the key in the caller's name (Developer Guide, "Using AWS KMS to encrypt DynamoDB data", without
 * its wildcards).
 */
const KEY_READS = ['kms:Decrypt', 'kms:DescribeKey'];
const KEY_WRITES = [
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

/** The indexes of SentLog: its log rows by `day` and `sentAt`, its events by `recipient` and `entry`. */
const SENT_LOG_INDEXES = ['byDay', 'byRecipient'];

/** The indexes of Bounce, each with its partition key; their sort key is `occurredAt`. */
const BOUNCE_INDEXES = { byRecipient: 'toEmail', byDay: 'day' };

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
    // Only events have `recipient`. Whole, so that one query answers with whatever an event says.
    this.sentLog.addGlobalSecondaryIndex({
      indexName: 'byRecipient',
      partitionKey: { name: 'recipient', type: AttributeType.STRING },
      sortKey: { name: 'entry', type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });

    this.bounce = this.#table('Bounce', {
      partitionKey: { name: 'fullMessageId', type: AttributeType.STRING },
      sortKey: { name: 'eventId', type: AttributeType.STRING },
      // Only the old image tells a repeated post from news.
      stream: StreamViewType.NEW_AND_OLD_IMAGES,
    });
    for (const [indexName, name] of Object.entries(BOUNCE_INDEXES)) {
      this.bounce.addGlobalSecondaryIndex({
        indexName,
        partitionKey: { name, type: AttributeType.STRING },
        sortKey: { name: 'occurredAt', type: AttributeType.STRING },
        projectionType: ProjectionType.ALL,
      });
    }
  }

  /** Lets somebody do `actions` on `table`, and use the table's key for them, through DynamoDB only. */
  grant(grantee: IGrantable, table: Table, ...actions: TableAction[]): void {
    Grant.addToPrincipal({
      grantee,
      actions: actions.map((action) => `dynamodb:${action}`),
      resourceArns: [table.tableArn],
    });
    this.#grantKey(grantee, actions.every((action) => READS.has(action)) ? KEY_READS : [...KEY_READS, ...KEY_WRITES]);
  }

  /** Lets somebody look bounces up, by key, recipient or day. */
  grantReadBounces(grantee: IGrantable): void {
    this.grant(grantee, this.bounce, 'BatchGetItem', 'GetItem', 'Query');
    this.grantQueryIndexes(grantee, this.bounce);
  }

  /** Lets somebody query all indexes of `table`, whose key they may use already. */
  grantQueryIndexes(grantee: IGrantable, table: Table): void {
    const resourceArns = this.writable.flatMap((it) =>
      it.table === table && it.index !== undefined ? [`${table.tableArn}/index/${it.index}`] : [],
    );
    Grant.addToPrincipal({ grantee, actions: ['dynamodb:Query'], resourceArns });
  }

  /** Lets somebody read the index `byDay` of `table` whole, whose key they may use already. */
  grantScanByDay(grantee: IGrantable, table: Table): void {
    Grant.addToPrincipal({ grantee, actions: ['dynamodb:Scan'], resourceArns: [`${table.tableArn}/index/byDay`] });
  }

  /** Lets a function look up what is known of a recipient, with the key that it may use already. */
  grantBouncesByRecipient(grantee: IGrantable): void {
    const resourceArns = [`${this.bounce.tableArn}/index/byRecipient`];
    Grant.addToPrincipal({ grantee, actions: ['dynamodb:Query'], resourceArns });
  }

  /** All that takes writes, each with limits and metrics of its own: the tables, and their indexes. */
  get writable(): readonly { readonly table: Table; readonly index?: string }[] {
    return [
      { table: this.mail },
      { table: this.sentLog },
      ...SENT_LOG_INDEXES.map((index) => ({ table: this.sentLog, index })),
      { table: this.bounce },
      ...Object.keys(BOUNCE_INDEXES).map((index) => ({ table: this.bounce, index })),
    ];
  }

  /**
   * Lets a function read what changes in `table`.
   *
   * @returns the stream's ARN
   * @throws Error where the table has no stream
   */
  grantStream(grantee: IGrantable, table: Table): string {
    if (table.tableStreamArn === undefined)
      throw new Error(`Cannot read the stream of ${table.node.path}: it has none`);
    Grant.addToPrincipal({
      grantee,
      actions: ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'],
      resourceArns: [table.tableStreamArn],
    });
    // Lambda asks for it, and IAM knows it for no single stream.
    Grant.addToPrincipal({ grantee, actions: ['dynamodb:ListStreams'], resourceArns: ['*'] });
    this.#grantKey(grantee, KEY_READS);
    return table.tableStreamArn;
  }

  #grantKey(grantee: IGrantable, actions: readonly string[]): void {
    grantKey(grantee, this.#key, 'dynamodb', actions);
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
