/** What figures are measured with. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Cleanup } from '../../local/cleanup.ts';
import { SDK_WARNING_OFF } from '../../local/database/dynamodb-clients.ts';
import { writeWorkerScript } from '../../local/functions/worker-script.ts';
import { closeServer, listen, originOf } from '../../local/ports.ts';
import { synthesize } from '../../local/stack/synthesize.ts';
import { writeBundle } from './bundles.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import { WEBHOOK_SECRET } from './posts.ts';
import { type BenchStorage, REGION, startBenchStorage } from './storage.ts';

const SENDER_SECRET = {
  sendgridApiKey: 'SG.bench',
  customersMailCloudSmtp: { host: '', port: 587, user: '', password: '' },
};

/** Given to each figure. */
export interface Bench {
  readonly runs: number;
  /** A folder for temporary files. */
  readonly dir: string;
  /** Runs at the end, also after a failure or a signal. */
  readonly cleanup: Cleanup;
  storage(): Promise<BenchStorage>;
  /**
   * Starts a bundle in a process of its own, with the environment that the stack would give it.
   *
   * @param entry below lambda/, without its ending
   */
  start(entry: string, environment?: Readonly<Record<string, string>>): Promise<MeasuredProcess>;
}

/** A file of bench/baselines/ as an entry. */
export const baseline = (name: string): string => `../bench/baselines/${name}`;

/** Runs `work` with a bench, and cleans up afterwards. */
export async function withBench(runs: number, work: (bench: Bench) => Promise<void>): Promise<void> {
  const cleanup = new Cleanup();
  const interrupt = () => void cleanup.run(console.error).then(() => process.exit(130));
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    await work(await makeBench(runs, cleanup));
  } finally {
    await cleanup.run(console.error);
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function makeBench(runs: number, cleanup: Cleanup): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), 'todoke-bench-'));
  cleanup.defer(`remove ${dir}`, () => rm(dir, { recursive: true, force: true }));
  const { template } = await synthesize({ outDir: join(dir, 'assembly') });
  const script = writeWorkerScript(new URL('worker.ts', import.meta.url), join(dir, 'worker.mjs'));
  const aws = await startAwsApi(cleanup);
  const bundles = new Map<string, string>();
  const bundled = (entry: string) => {
    const file = bundles.get(entry) ?? join(dir, `bundle-${bundles.size}`, 'index.js');
    if (!bundles.has(entry)) writeBundle(entry, file);
    bundles.set(entry, file);
    return file;
  };
  return {
    runs,
    dir,
    cleanup,
    storage: () => startBenchStorage(template, cleanup),
    async start(entry, environment = {}) {
      const started = await startMeasured(script, bundled(entry), {
        AWS_REGION: REGION,
        AWS_ACCESS_KEY_ID: 'bench',
        AWS_SECRET_ACCESS_KEY: 'bench',
        ...SDK_WARNING_OFF,
        AWS_ENDPOINT_URL_SECRETS_MANAGER: aws,
        AWS_ENDPOINT_URL_SQS: aws,
        STACK_NAME: 'Bench',
        WEBHOOK_SECRET: 'webhook-secret',
        SENDER_SECRET: 'sender-secret',
        RETENTION_DAYS: '180',
        CUSTOMERS_MAIL_CLOUD_TIME_ZONE: 'Asia/Tokyo',
        EVENT_QUEUE_URL: `${aws}/queue`,
        MAIL_TABLE: 'Mail',
        SENT_LOG_TABLE: 'SentLog',
        BOUNCE_TABLE: 'Bounce',
        SENDGRID_API_URL: 'http://127.0.0.1',
        ...environment,
      });
      cleanup.defer('stop a measured process', started.stop);
      return started;
    },
  };
}

/**
 * Answers as Secrets Manager and as SQS, at once.
 *
 * @returns its address
 */
async function startAwsApi(cleanup: Cleanup): Promise<string> {
  const server = createServer(async (request, response) => {
    const input = JSON.parse(await text(request));
    const answer =
      request.headers['x-amz-target'] === 'AmazonSQS.SendMessage'
        ? // The SDK compares the hash.
          { MessageId: 'bench', MD5OfMessageBody: createHash('md5').update(input.MessageBody).digest('hex') }
        : { SecretString: JSON.stringify(input.SecretId === 'sender-secret' ? SENDER_SECRET : WEBHOOK_SECRET) };
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.end(JSON.stringify(answer));
  });
  cleanup.defer('stop the AWS API', () => closeServer(server));
  return originOf(await listen(server, 0, 'the AWS API'));
}
