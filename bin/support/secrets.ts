/** Reads and changes the two secrets. */
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import * as core from 'zod/v4/core';
import { type SenderSecret, senderSecretSchema } from '../../lambda/sending/sender-secret.ts';
import { type WebhookSecret, webhookSecretSchema } from '../../lambda/webhooks/webhook-secret.ts';
import { jsonOrUndefined } from '../../local/json.ts';
import { clientSettings } from './aws.ts';
import type { StackOutputs } from './outputs.ts';

/** A secret as it is now. */
export interface Stored<Value> {
  readonly value: Value;
  /** Unix milliseconds. Functions use what was there before for up to a minute more. */
  readonly changedAtMs: number;
}

export const webhookSecretOf = (outputs: StackOutputs) =>
  new StackSecret<WebhookSecret>(outputs, outputs.WebhookSecretName, webhookSecretSchema);
export const senderSecretOf = (outputs: StackOutputs) =>
  new StackSecret<SenderSecret>(outputs, outputs.SenderSecretName, senderSecretSchema);

const record = z.record(z.string(), z.unknown());

/** One of the stack's secrets. Nothing that it throws holds a part of the value. */
class StackSecret<Value> {
  readonly name: string;
  readonly #schema: core.$ZodType<Value>;
  readonly #client: SecretsManagerClient;

  constructor(outputs: StackOutputs, name: string, schema: core.$ZodType<Value>) {
    this.name = name;
    this.#schema = schema;
    this.#client = new SecretsManagerClient(clientSettings(outputs, 'AwsApiEndpoint'));
  }

  /** @throws Error where it cannot be read, or is not of its documented shape */
  async read(): Promise<Stored<Value>> {
    const { whole, changedAtMs } = await this.#read();
    return { value: this.#parse(whole), changedAtMs };
  }

  /** Changes some attributes, also of what is inside them, and leaves all others as they are. */
  async change(changes: Readonly<Record<string, unknown>>): Promise<void> {
    const { whole } = await this.#read();
    const changed = merged(whole, changes);
    this.#parse(changed);
    const SecretString = JSON.stringify(changed, null, 2);
    await this.#client.send(new PutSecretValueCommand({ SecretId: this.name, SecretString }));
  }

  async #read() {
    const answer = await this.#client.send(new GetSecretValueCommand({ SecretId: this.name }));
    const whole = record.safeParse(jsonOrUndefined(answer.SecretString ?? ''));
    if (!whole.success) throw new Error(`Cannot use the secret ${this.name}: its value is not a JSON object`);
    return { whole: whole.data, changedAtMs: answer.CreatedDate?.getTime() ?? 0 };
  }

  #parse(whole: unknown): Value {
    const result = core.safeParse(this.#schema, whole);
    if (result.success) return result.data;
    const places = result.error.issues.map(({ path }) => path.join('.')).join(', ');
    throw new Error(`Cannot use the secret ${this.name}: its value is not of the documented shape at ${places}`);
  }
}

function merged(whole: unknown, changes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = record.safeParse(whole).data ?? {};
  const changed = Object.entries(changes).map(([name, value]) => {
    const inside = record.safeParse(value);
    return [name, inside.success ? merged(known[name], inside.data) : value];
  });
  return { ...known, ...Object.fromEntries(changed) };
}
