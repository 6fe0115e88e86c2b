/** Reads and changes the two secrets. */
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import * as core from 'zod/v4/core';
import { EMPTY_SENDER_SECRET, type SenderSecret, senderSecretSchema } from '../../lambda/sending/sender-secret.ts';
import { EMPTY_WEBHOOK_SECRET, type WebhookSecret, webhookSecretSchema } from '../../lambda/webhooks/webhook-secret.ts';
import { jsonOrUndefined } from '../../local/json.ts';
import { clientSettings } from './aws.ts';
import type { StackOutputs } from './outputs.ts';

/** A secret as it is now. */
export interface Stored<Value> {
  readonly value: Value;
  /** Unix milliseconds. Functions may use the previous value for a minute more. */
  readonly changedAtMs: number;
}

export const webhookSecretOf = (outputs: StackOutputs) =>
  new StackSecret<WebhookSecret>(outputs, outputs.WebhookSecretName, webhookSecretSchema, EMPTY_WEBHOOK_SECRET);
export const senderSecretOf = (outputs: StackOutputs) =>
  new StackSecret<SenderSecret>(outputs, outputs.SenderSecretName, senderSecretSchema, EMPTY_SENDER_SECRET);

const record = z.record(z.string(), z.unknown());

/** The value of a secret is not JSON, or not of its documented shape. */
export class MalformedSecret extends Error {
  override readonly name = 'MalformedSecret';
}

/** One of the stack's secrets. No error quotes a part of the value. */
class StackSecret<Value> {
  readonly name: string;
  readonly #schema: core.$ZodType<Value>;
  readonly #empty: Value;
  readonly #client: SecretsManagerClient;

  /** @param empty the first value, as deployed */
  constructor(outputs: StackOutputs, name: string, schema: core.$ZodType<Value>, empty: Value) {
    this.name = name;
    this.#schema = schema;
    this.#empty = empty;
    this.#client = new SecretsManagerClient(clientSettings(outputs, 'AwsApiEndpoint'));
  }

  /** @throws MalformedSecret if it is not of its documented shape; Error if it cannot be read */
  async read(): Promise<Stored<Value>> {
    const { whole, changedAtMs } = await this.#read();
    return { value: this.#parse(whole), changedAtMs };
  }

  /**
   * Repairs a malformed value: keeps its well-formed parts, and takes the others from the empty value. Secrets Manager
   * keeps the previous value as the version AWSPREVIOUS.
   *
   * @returns the paths of the malformed parts; undefined if the value was well-formed and stays as it is
   */
  async repair(): Promise<string[] | undefined> {
    const given = jsonOrUndefined((await this.#readText()).text);
    if (core.safeParse(this.#schema, given).success) return undefined;
    const { value, dropped } = wellFormed(given, this.#schema, this.#empty);
    await this.#put(value);
    return dropped;
  }

  /** Changes some attributes, also nested ones, and keeps all others. */
  async change(changes: Readonly<Record<string, unknown>>): Promise<void> {
    const { whole } = await this.#read();
    const changed = merged(whole, changes);
    this.#parse(changed);
    await this.#put(changed);
  }

  async #put(value: unknown): Promise<void> {
    const SecretString = JSON.stringify(value, null, 2);
    await this.#client.send(new PutSecretValueCommand({ SecretId: this.name, SecretString }));
  }

  async #readText() {
    const answer = await this.#client.send(new GetSecretValueCommand({ SecretId: this.name }));
    return { text: answer.SecretString ?? '', changedAtMs: answer.CreatedDate?.getTime() ?? 0 };
  }

  async #read() {
    const { text, changedAtMs } = await this.#readText();
    const whole = record.safeParse(jsonOrUndefined(text));
    if (!whole.success) throw this.#malformed('not a JSON object');
    return { whole: whole.data, changedAtMs };
  }

  #malformed(what: string): MalformedSecret {
    return new MalformedSecret(
      `Cannot use the secret ${this.name}: its value is ${what}. \`npm run setup -- --replace\` keeps what is well-formed in it, and asks for the rest`,
    );
  }

  #parse(whole: unknown): Value {
    const result = core.safeParse(this.#schema, whole);
    if (result.success) return result.data;
    const places = result.error.issues.map(({ path }) => path.join('.')).join(', ');
    throw this.#malformed(`not of the documented shape at ${places}`);
  }
}

/**
 * Keeps the well-formed parts of a value, and takes the rest from the empty value.
 *
 * @returns with `dropped`, the places that were not well-formed
 */
function wellFormed<Value>(given: unknown, schema: core.$ZodType<Value>, empty: Value) {
  const defaults = record.parse(empty);
  const whole = record.safeParse(given);
  if (!whole.success) return { value: defaults, dropped: ['the whole value'] };
  let value = merged(defaults, whole.data);
  const dropped: string[] = [];
  for (;;) {
    const [issue] = core.safeParse(schema, value).error?.issues ?? [];
    if (issue === undefined) return { value, dropped };
    dropped.push(dropAt(value, issue.path).join('.'));
    value = merged(defaults, value);
  }
}

/** Removes the part at a path, or the object that lacks it. @returns the path of what was removed */
function dropAt(value: unknown, path: readonly PropertyKey[]): readonly PropertyKey[] {
  const [name, ...inside] = path;
  if (typeof value !== 'object' || value === null || name === undefined || !(name in value)) return [];
  const dropped = dropAt(Reflect.get(value, name), inside);
  if (dropped.length > 0) return [name, ...dropped];
  if (Array.isArray(value)) value.splice(Number(name), 1);
  else Reflect.deleteProperty(value, name);
  return [name];
}

function merged(whole: unknown, changes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = record.safeParse(whole).data ?? {};
  const changed = Object.entries(changes).map(([name, value]) => {
    const inside = record.safeParse(value);
    return [name, inside.success ? merged(known[name], inside.data) : value];
  });
  return { ...known, ...Object.fromEntries(changed) };
}
