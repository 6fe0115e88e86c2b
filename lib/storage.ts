/** The construct of the three tables Mail, SentLog and Bounce, and the grants on them. */
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

/** The actions on tables that are granted. */
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
 * The KMS actions that a caller needs for DynamoDB (Developer Guide, "Using AWS KMS to encrypt DynamoDB data", without
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
    // Only events have `recipient`. The index has all attributes, so that one query returns complete events.
    this.sentLog.addGlobalSecondaryIndex({
      indexName: 'byRecipient',
      partitionKey: { name: 'recipient', type: AttributeType.STRING },
      sortKey: { name: 'entry', type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });

    this.bounce = this.#table('Bounce', {
      partitionKey: { name: 'fullMessageId', type: AttributeType.STRING },
      sortKey: { name: 'eventId', type: AttributeType.STRING },
      // Only the old image distinguishes a repeated post from a new row.
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

  /** Lets `grantee` do `actions` on `table`, and use the table's key for them, through DynamoDB only. */
  grant(grantee: IGrantable, table: Table, ...actions: TableAction[]): void {
    Grant.addToPrincipal({
      grantee,
      actions: actions.map((action) => `dynamodb:${action}`),
      resourceArns: [table.tableArn],
    });
    this.#grantKey(grantee, actions.every((action) => READS.has(action)) ? KEY_READS : [...KEY_READS, ...KEY_WRITES]);
  }

  /** Lets `grantee` read Bounce by key, recipient or day. */
  grantReadBounces(grantee: IGrantable): void {
    this.grant(grantee, this.bounce, 'BatchGetItem', 'GetItem', 'Query');
    this.grantQueryIndexes(grantee, this.bounce);
  }

  /** Lets `grantee` query all indexes of `table`. It must already have a grant to use the key. */
  grantQueryIndexes(grantee: IGrantable, table: Table): void {
    const resourceArns = this.writable.flatMap((it) =>
      it.table === table && it.index !== undefined ? [`${table.tableArn}/index/${it.index}`] : [],
    );
    Grant.addToPrincipal({ grantee, actions: ['dynamodb:Query'], resourceArns });
  }

  /** Lets `grantee` scan the index `byDay` of `table`. It must already have a grant to use the key. */
  grantScanByDay(grantee: IGrantable, table: Table): void {
    Grant.addToPrincipal({ grantee, actions: ['dynamodb:Scan'], resourceArns: [`${table.tableArn}/index/byDay`] });
  }

  /** Lets `grantee` query Bounce by recipient. It must already have a grant to use the key. */
  grantBouncesByRecipient(grantee: IGrantable): void {
    const resourceArns = [`${this.bounce.tableArn}/index/byRecipient`];
    Grant.addToPrincipal({ grantee, actions: ['dynamodb:Query'], resourceArns });
  }

  /** The tables and their indexes. Each has its own write limits and metrics. */
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
   * Lets `grantee` read the stream of `table`.
   *
   * @returns the stream's ARN
   * @throws Error if the table has no stream
   */
  grantStream(grantee: IGrantable, table: Table): string {
    if (table.tableStreamArn === undefined)
      throw new Error(`Cannot read the stream of ${table.node.path}: it has none`);
    Grant.addToPrincipal({
      grantee,
      actions: ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'],
      resourceArns: [table.tableStreamArn],
    });
    // Lambda requires this action, and IAM cannot restrict it to a single stream.
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
