/** Starts both simulators with their secrets, and keeps their pending events on disk. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import {
  ensureSecretFile,
  type LocalSecret,
  readSenderSecret,
  readWebhookSecret,
  updateSenderSecret,
  updateWebhookSecret,
} from '../aws-api/secrets-manager.ts';
import { Cleanup } from '../cleanup.ts';
import type { DataFolder } from '../data-folder.ts';
import { readJsonFile, toJson, writeFileAtomically } from '../files.ts';
import { LOOPBACK } from '../ports.ts';
import { issueLocalCertificate } from './certificate.ts';
import {
  type CustomersMailCloudSimulator,
  customersMailCloudPendingSchema,
  startCustomersMailCloudSimulator,
} from './customers-mail-cloud.ts';
import { type PostAnswer, postSample, type SamplePost } from './sample-post.ts';
import { type SendGridSimulator, sendGridPendingSchema, startSendGridSimulator } from './sendgrid.ts';

interface SimulatedProvidersOptions {
  readonly folder: DataFolder;
  readonly webhookSecret: LocalSecret;
  readonly senderSecret: LocalSecret;
  /** 0 takes a free one. */
  readonly sendGridPort: number;
  readonly smtpPort: number;
  /** Undefined if the stack does not receive the provider's webhook. */
  readonly sendGridWebhookUrl: string | undefined;
  readonly customersMailCloudWebhookUrl: string | undefined;
  readonly customersMailCloudTimeZone: string | undefined;
  /** Between two events of a mail. */
  readonly delayMs: number;
  readonly cleanup: Cleanup;
  readonly report: (line: string) => void;
}

/** Both providers, simulated on this machine. */
export interface SimulatedProviders {
  readonly sendGrid: SendGridSimulator;
  readonly customersMailCloud: CustomersMailCloudSimulator;
  /** Such as `smtp://127.0.0.1:8790`; it wants STARTTLS. */
  readonly smtpUrl: string;
  /** A file with the certificate of the authority that issued the SMTP server's certificate. */
  readonly caFile: string;
  /** Posts a body that a person wrote to a webhook, as its provider would. */
  post(post: SamplePost): Promise<PostAnswer>;
  /**
   * Posts the events that were pending when local mode ended. Call it only when the webhooks answer: Customers Mail Cloud's
   * simulator posts nothing twice.
   */
  resume(): void;
  /** Posts nothing more, and keeps what has not been posted for the next start. */
  stop(): Promise<void>;
}

/**
 * Starts the providers' simulators with the secrets that the functions use, and makes these secrets at the first start.
 * Events that had not been posted when local mode ended are kept until `resume`.
 */
export async function startSimulatedProviders(options: SimulatedProvidersOptions): Promise<SimulatedProviders> {
  const { folder, delayMs, cleanup, report, webhookSecret, senderSecret, customersMailCloudTimeZone } = options;
  const identity = await simulatorsIdentity(folder);
  const privateKey = createPrivateKey(identity.sendGridPrivateKey);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
  await ensureSecretFile(webhookSecret.file, firstWebhookSecret(publicKey));
  await ensureSecretFile(senderSecret.file, firstSenderSecret());
  await updateWebhookSecret(webhookSecret.file, publicKey);

  const stops = new Cleanup();
  const stop = () => stops.run(report);
  cleanup.defer('stop the simulators', stop);

  const sendGridPending = await keptEvents(folder.path('simulators', 'sendgrid-pending.json'), sendGridPendingSchema);
  const sendGrid = await startSendGridSimulator({
    port: options.sendGridPort,
    apiKey: async () => (await readSenderSecret(senderSecret.file)).sendgridApiKey,
    privateKey,
    webhookUrl: options.sendGridWebhookUrl,
    delayMs,
    keep: sendGridPending.keep,
    report,
  });
  stops.defer("stop SendGrid's simulator", () => sendGrid.close());

  const mailCloudPending = await keptEvents(
    folder.path('simulators', 'customers-mail-cloud-pending.json'),
    customersMailCloudPendingSchema,
  );
  const customersMailCloud = await startCustomersMailCloudSimulator({
    port: options.smtpPort,
    certificate: identity.certificate,
    credentials: async () => (await readSenderSecret(senderSecret.file)).customersMailCloudSmtp,
    webhookUrl: options.customersMailCloudWebhookUrl,
    apiKey: async () => (await readWebhookSecret(webhookSecret.file)).customersMailCloud.apiKeys[0] ?? '',
    delayMs,
    ...(customersMailCloudTimeZone !== undefined && { timeZone: customersMailCloudTimeZone }),
    keep: mailCloudPending.keep,
    report,
  });
  stops.defer("stop Customers Mail Cloud's simulator", () => customersMailCloud.close());
  await updateSenderSecret(senderSecret.file, customersMailCloud.port);

  const caFile = folder.path('simulators', 'ca.pem');
  await writeFileAtomically(caFile, identity.certificate.ca);
  const resume = () => {
    sendGrid.restore(sendGridPending.take());
    customersMailCloud.restore(mailCloudPending.take());
  };
  return {
    resume,
    sendGrid,
    customersMailCloud,
    smtpUrl: `smtp://${LOOPBACK}:${customersMailCloud.port}`,
    caFile,
    post: async (post) => {
      const { apiKeys } = (await readWebhookSecret(webhookSecret.file)).customersMailCloud;
      return postSample(post, { ...options, privateKey, apiKey: apiKeys[0] ?? '' });
    },
    stop,
  };
}

/** Keeps the pending events of a simulator on disk, together with those of the last run until `take` returns them. */
async function keptEvents<Event>(file: string, schema: z.ZodType<Event[]>) {
  let left: readonly Event[] = (await readJsonFile(file, schema)) ?? [];
  return {
    /** Synchronous: a mail is on disk before the simulator acknowledges it. */
    keep(pending: readonly Event[]): void {
      writeFileSync(`${file}.tmp`, JSON.stringify([...left, ...pending]));
      renameSync(`${file}.tmp`, file);
    },
    take(): readonly Event[] {
      const taken = left;
      left = [];
      return taken;
    },
  };
}

const random = (bytes: number) => randomBytes(bytes).toString('base64url');

const firstWebhookSecret = (publicKey: string) => ({
  sendgridPublicKeys: [publicKey],
  customersMailCloud: { apiKeys: [random(24)], basic: [], bearerTokens: [] },
});

/** The API key has the form of SendGrid's keys. The port is set when the simulator has started. */
const firstSenderSecret = () => ({
  sendgridApiKey: `SG.${random(16)}.${random(32)}`,
  customersMailCloudSmtp: { host: 'localhost', port: 0, user: 'local', password: random(16) },
});

const identitySchema = z.object({
  /** PEM (PKCS #8), on the curve P-256. */
  sendGridPrivateKey: z.string(),
  certificate: z.object({ ca: z.string(), cert: z.string(), key: z.string() }),
});

/** Keys and certificate of the simulators. They are made once, so that a copied webhook secret stays valid. */
async function simulatorsIdentity(folder: DataFolder): Promise<z.infer<typeof identitySchema>> {
  const file = folder.path('simulators', 'identity.json');
  const known = await readJsonFile(file, identitySchema);
  if (known !== undefined) return known;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const made = {
    sendGridPrivateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: await issueLocalCertificate(),
  };
  await writeFileAtomically(file, toJson(made), 0o600);
  return made;
}
