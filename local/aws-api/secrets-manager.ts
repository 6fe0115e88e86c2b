/** Keeps secrets in files, and answers Secrets Manager's calls on them. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod';
import type { Authorize } from '../access.ts';
import type { DataFolder } from '../data-folder.ts';
import { isErrorWithCode, readJsonFile, toJson, writeFileAtomically } from '../files.ts';
import type { ResolvedTemplate } from '../stack/template.ts';
import { AwsApiError, type AwsCall } from './aws-api.ts';

const SECRET_MODE = 0o600;

/** A secret of the stack, kept in a file that can be edited while local mode runs. */
export interface LocalSecret {
  readonly arn: string;
  readonly name: string;
  /** Such as `.local/webhook-secret.json` for `WebhookSecret`. */
  readonly file: string;
}

/** The template's secrets by logical id. */
export function localSecrets(template: ResolvedTemplate, folder: DataFolder): Map<string, LocalSecret> {
  return new Map(
    Array.from(template.resources('AWS::SecretsManager::Secret', z.object({})).keys(), (logicalId) => {
      const arn = template.ref(logicalId);
      const file = `${logicalId.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase()}.json`;
      // The name is the ARN's last part without the six letters that Secrets Manager adds.
      return [logicalId, { arn, name: arn.split(':').at(-1)?.slice(0, -7) ?? '', file: folder.path(file) }];
    }),
  );
}

/** Secrets Manager's calls that read and write what is in the file now, by the secret's ARN or name. */
export function secretsManagerCalls(secrets: readonly LocalSecret[], authorize: Authorize): Record<string, AwsCall> {
  const secretOf = (id: string): LocalSecret => {
    const secret = secrets.find(({ arn, name }) => id === arn || id === name);
    if (secret === undefined) throw new AwsApiError('ResourceNotFoundException', `There is no secret ${id}`);
    return secret;
  };
  return {
    async 'secretsmanager.GetSecretValue'(input, caller) {
      const secret = secretOf(z.object({ SecretId: z.string() }).parse(input).SecretId);
      await authorize(caller, 'secretsmanager:GetSecretValue', secret.arn);
      try {
        const SecretString = await readFile(secret.file, 'utf8');
        return {
          ...version(secret, SecretString),
          SecretString,
          CreatedDate: (await stat(secret.file)).mtimeMs / 1000,
        };
      } catch (error) {
        if (!isErrorWithCode(error, 'ENOENT')) throw error;
        throw new AwsApiError('ResourceNotFoundException', `There is no ${secret.file}: start local mode again`);
      }
    },

    async 'secretsmanager.PutSecretValue'(input, caller) {
      const { SecretId, SecretString } = z.object({ SecretId: z.string(), SecretString: z.string() }).parse(input);
      const secret = secretOf(SecretId);
      await authorize(caller, 'secretsmanager:PutSecretValue', secret.arn);
      await writeFileAtomically(secret.file, SecretString, SECRET_MODE);
      return version(secret, SecretString);
    },
  };
}

const version = ({ arn, name }: LocalSecret, value: string) => ({
  ARN: arn,
  Name: name,
  VersionId: createHash('sha256').update(value).digest('hex').slice(0, 32),
  VersionStages: ['AWSCURRENT'],
});

/** Makes a secret's file if it is missing, readable by its owner only. One that is there stays as it is. */
export async function ensureSecretFile(file: string, firstValue: object): Promise<void> {
  if ((await readJsonFile(file, z.unknown())) !== undefined) return;
  await writeFileAtomically(file, toJson(firstValue), SECRET_MODE);
}

const generated = z.object({
  GenerateSecretString: z.object({ SecretStringTemplate: z.string(), GenerateStringKey: z.string() }).optional(),
});

/** Generates the values that CloudFormation would generate, at the first start only. */
export async function generateSecrets(
  template: ResolvedTemplate,
  secrets: ReadonlyMap<string, LocalSecret>,
): Promise<void> {
  for (const [logicalId, { GenerateSecretString }] of template.resources('AWS::SecretsManager::Secret', generated)) {
    const file = secrets.get(logicalId)?.file;
    if (GenerateSecretString === undefined || file === undefined) continue;
    const { SecretStringTemplate, GenerateStringKey } = GenerateSecretString;
    const value = randomBytes(32).toString('hex');
    await ensureSecretFile(file, { ...JSON.parse(SecretStringTemplate), [GenerateStringKey]: value });
  }
}

/** As much of the webhook secret as local mode reads. */
const webhookSecret = z.looseObject({
  sendgridPublicKeys: z.array(z.string()).default([]),
  customersMailCloud: z.looseObject({ apiKeys: z.array(z.string()).default([]) }).prefault({}),
});
type LocalWebhookSecret = z.infer<typeof webhookSecret>;

/** Adds the simulator's public key (base64 of SPKI DER) where it is missing, so that its webhooks are accepted. */
export async function updateWebhookSecret(file: string, simulatorPublicKey: string): Promise<LocalWebhookSecret> {
  return updateSecret(file, webhookSecret, (secret) => ({
    ...secret,
    sendgridPublicKeys: Array.from(new Set([...secret.sendgridPublicKeys, simulatorPublicKey])),
  }));
}

const senderSecret = z.looseObject({
  sendgridApiKey: z.string().default(''),
  customersMailCloudSmtp: z
    .looseObject({
      host: z.string().default(''),
      port: z.number().default(0),
      user: z.string().default(''),
      password: z.string().default(''),
    })
    .prefault({}),
});
type LocalSenderSecret = z.infer<typeof senderSecret>;

/** Brings the simulator's port up to date, unless the file names another host than this one. */
export async function updateSenderSecret(file: string, simulatorSmtpPort: number): Promise<LocalSenderSecret> {
  return updateSecret(file, senderSecret, (secret) => {
    const smtp = secret.customersMailCloudSmtp;
    if (smtp.host !== 'localhost') return secret;
    return { ...secret, customersMailCloudSmtp: { ...smtp, port: simulatorSmtpPort } };
  });
}

export const readWebhookSecret = (file: string) => readSecret(file, webhookSecret);
export const readSenderSecret = (file: string) => readSecret(file, senderSecret);

/** @throws Error if the file is missing. Local mode made it at its start. */
async function readSecret<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  const secret = await readJsonFile(file, schema);
  if (secret === undefined) throw new Error(`Cannot read ${file}: it does not exist; start local mode again`);
  return secret;
}

/** Writes only what has changed: a person may have the file open. */
async function updateSecret<T>(file: string, schema: z.ZodType<T>, change: (secret: T) => T): Promise<T> {
  const secret = await readSecret(file, schema);
  const changed = change(secret);
  if (JSON.stringify(changed) !== JSON.stringify(secret)) await writeFileAtomically(file, toJson(changed), SECRET_MODE);
  return changed;
}
