/** What figures are measured with. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { marshall } from '@aws-sdk/util-dynamodb';
import * as z from 'zod';
import { Cleanup } from '../../local/cleanup.ts';
import { SDK_WARNING_OFF } from '../../local/database/dynamodb-clients.ts';
import { writeWorkerScript } from '../../local/functions/worker-script.ts';
import { closeServer, listen, originOf } from '../../local/ports.ts';
import { synthesize } from '../../local/stack/synthesize.ts';
import { writeBundle } from './bundles.ts';
import { startDistance } from './distance.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import { logRow, WEBHOOK_SECRET } from './posts.ts';
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
  /** Where AWS answers a little later; see {@link Bench.start}. */
  readonly distantAws: string;
  /**
   * Starts a bundle in a process of its own, with the environment that the stack would give it. Unless `environment` names
   * another address, a stand-in answers as AWS, at once: every mail is in its sent log, and it takes every row.
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
  const aws = await startStandIn(cleanup);
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
    distantAws: await startDistance(aws, cleanup),
    async start(entry, environment = {}) {
      const started = await startMeasured(script, bundled(entry), {
        AWS_REGION: REGION,
        AWS_ACCESS_KEY_ID: 'bench',
        AWS_SECRET_ACCESS_KEY: 'bench',
        ...SDK_WARNING_OFF,
        AWS_ENDPOINT_URL: aws,
        STACK_NAME: 'Bench',
        WEBHOOK_SECRET: 'webhook-secret',
        SENDER_SECRET: 'sender-secret',
        RETENTION_DAYS: '180',
        CUSTOMERS_MAIL_CLOUD_TIME_ZONE: 'Asia/Tokyo',
        EVENT_QUEUE_URL: `${aws}/queue`,
        RETRY_QUEUE_URL: `${aws}/queue`,
        MAIL_TABLE: 'Mail',
        SENT_LOG_TABLE: 'SentLog',
        BOUNCE_TABLE: 'Bounce',
        SENDGRID_API_URL: 'http://127.0.0.1',
        SUPPRESSION: 'on',
        ...environment,
      });
      cleanup.defer('stop a measured process', started.stop);
      return started;
    },
  };
}

/** @returns the address of a stand-in for Secrets Manager, SQS and DynamoDB */
async function startStandIn(cleanup: Cleanup): Promise<string> {
  const server = createServer(async (request, response) => {
    const input = JSON.parse(await text(request));
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.end(JSON.stringify(answer(String(request.headers['x-amz-target']), input)));
  });
  cleanup.defer('stop the stand-in for AWS', () => closeServer(server));
  return originOf(await listen(server, 0, 'the stand-in for AWS'));
}

const secretId = z.object({ SecretId: z.string() });
const messageBody = z.object({ MessageBody: z.string() });
const key = z.object({ messageId: z.object({ S: z.string() }) });
const oneKey = z.object({ Key: key });
const manyKeys = z.object({ RequestItems: z.record(z.string(), z.object({ Keys: z.array(key) })) });

/** @param target the header `x-amz-target`, such as `AmazonSQS.SendMessage` */
function answer(target: string, input: unknown): unknown {
  const logged = ({ messageId }: z.infer<typeof key>) => marshall(logRow(messageId.S, ['recipient-0@example.jp']));
  switch (target.split('.')[1]) {
    case 'GetSecretValue': {
      const secret = secretId.parse(input).SecretId === 'sender-secret' ? SENDER_SECRET : WEBHOOK_SECRET;
      return { SecretString: JSON.stringify(secret) };
    }
    case 'SendMessage':
      // The SDK compares the hash.
      return { MD5OfMessageBody: createHash('md5').update(messageBody.parse(input).MessageBody).digest('hex') };
    case 'GetItem':
      return { Item: logged(oneKey.parse(input).Key) };
    case 'BatchGetItem': {
      const tables = Object.entries(manyKeys.parse(input).RequestItems);
      return { Responses: Object.fromEntries(tables.map(([table, { Keys }]) => [table, Keys.map(logged)])) };
    }
    default:
      return {};
  }
}
