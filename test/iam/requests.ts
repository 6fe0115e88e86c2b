/** What AWS asks IAM for a call: for the call itself, and for the key that encrypts its resource. */
import type { Policies } from './policies.ts';

/** A call in a caller's name. */
export interface Call {
  /**
   * The logical id of a function, for its role; or of a managed policy, for an application that has it. If the application
   * has several managed policies, their ids are joined with `+`.
   */
  readonly caller: string;
  /** IAM's name of the action, for example `dynamodb:PutItem`. */
  readonly action: string;
  /** ARN, or `*`. */
  readonly resource: string;
}

/** A question to IAM. */
export interface IamRequest {
  readonly principal: { readonly caller: string } | { readonly service: string } | 'anybody';
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, string>>;
}

/**
 * What the services ask about the key in the caller's name. The first match applies.
 *
 * DynamoDB: Developer Guide, "Using AWS KMS to encrypt DynamoDB data", authorizing use of a customer managed key.
 * SQS: Developer Guide, "Key management", permissions for producers and consumers.
 * Secrets Manager: User Guide, "Secret encryption and decryption", permissions for the KMS key.
 */
const KEY_USE: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^dynamodb:ListStreams$/, []],
  [
    /^dynamodb:(BatchGetItem|DescribeStream|GetItem|GetRecords|GetShardIterator|Query|Scan)$/,
    ['Decrypt', 'DescribeKey'],
  ],
  [
    /^dynamodb:/,
    [
      'Decrypt',
      'DescribeKey',
      'Encrypt',
      'GenerateDataKey',
      'GenerateDataKeyWithoutPlaintext',
      'ReEncryptFrom',
      'ReEncryptTo',
    ],
  ],
  [/^sqs:SendMessage$/, ['Decrypt', 'GenerateDataKey']],
  [/^sqs:ReceiveMessage$/, ['Decrypt']],
  [/^secretsmanager:GetSecretValue$/, ['Decrypt']],
];

export function requestsOf({ caller, action, resource }: Call, region: string, { keys }: Policies): IamRequest[] {
  const principal = { caller };
  const itself = { principal, action, resource, context: { 'aws:SecureTransport': 'true' } };
  // An index is encrypted with its table's key.
  const key = keys.get(resource.replace(/\/index\/.*/, ''));
  if (key === undefined) return [itself];
  const service = action.slice(0, action.indexOf(':'));
  const keyActions = KEY_USE.find(([pattern]) => pattern.test(action))?.[1] ?? [];
  const context = { 'aws:SecureTransport': 'true', 'kms:ViaService': `${service}.${region}.amazonaws.com` };
  return [itself, ...keyActions.map((name) => ({ principal, action: `kms:${name}`, resource: key, context }))];
}
