/** What figures are measured with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cleanup } from '../../local/cleanup.ts';
import { SDK_WARNING_OFF } from '../../local/database/dynamodb-clients.ts';
import { writeWorkerScript } from '../../local/functions/worker-script.ts';
import { closeServer, listen, originOf } from '../../local/ports.ts';
import { type SynthesizedStack, synthesize } from '../../local/stack/synthesize.ts';
import { bundleLikeFunctions, bundleOf } from './bundles.ts';
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
  readonly stack: SynthesizedStack;
  /** A folder for whatever a figure needs; it goes with the bench. */
  readonly dir: string;
  /** Runs at the end, however that comes. */
  readonly cleanup: Cleanup;
  /** A deployed function's bundle, by logical id. */
  function(logicalId: string): string;
  /** A file of bench/, bundled as the functions are. */
  bundled(entry: string): Promise<string>;
  storage(): Promise<BenchStorage>;
  /** A bundle in a process of its own, with the environment that the stack would give it. */
  start(bundle: string, environment?: Readonly<Record<string, string>>): Promise<MeasuredProcess>;
}

/** Makes the stack, gives it to `work`, and undoes everything afterwards: where it fails or is interrupted, too. */
export async function withBench(runs: number, work: (bench: Bench) => Promise<void>): Promise<void> {
  const cleanup = new Cleanup();
  const undo = () => cleanup.run(console.error);
  // What waits for the exit takes along what is only just being started. npm passes a signal on that came by itself, too.
  const interrupt = () => void undo().then(() => process.exit(130));
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    await work(await makeBench(runs, cleanup));
  } finally {
    await undo();
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function makeBench(runs: number, cleanup: Cleanup): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), 'todoke-bench-'));
  cleanup.defer(`remove ${dir}`, () => rm(dir, { recursive: true, force: true }));
  const stopping = new AbortController();
  cleanup.defer('end the synthesis', () => stopping.abort());
  const stack = await synthesize({ outDir: join(dir, 'assembly'), signal: stopping.signal });
  const script = writeWorkerScript(new URL('worker.ts', import.meta.url), join(dir, 'worker.mjs'));
  const secrets = await startSecrets(cleanup);
  const bundles = new Map<string, string>();
  return {
    runs,
    stack,
    dir,
    cleanup,
    function: (logicalId) => bundleOf(stack, logicalId),
    async bundled(entry) {
      const made = bundles.get(entry) ?? (await bundleLikeFunctions(dir, entry));
      bundles.set(entry, made);
      return made;
    },
    storage: () => startBenchStorage(stack.template, cleanup),
    async start(bundle, environment = {}) {
      const started = await startMeasured(script, bundle, {
        AWS_REGION: REGION,
        AWS_ACCESS_KEY_ID: 'bench',
        AWS_SECRET_ACCESS_KEY: 'bench',
        ...SDK_WARNING_OFF,
        AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets,
        AWS_ENDPOINT_URL_SQS: secrets,
        STACK_NAME: 'Bench',
        WEBHOOK_SECRET: 'webhook-secret',
        SENDER_SECRET: 'sender-secret',
        RETENTION_DAYS: '180',
        CUSTOMERS_MAIL_CLOUD_TIME_ZONE: 'Asia/Tokyo',
        SPILL_QUEUE_URL: `${secrets}/queue`,
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

/** @returns where Secrets Manager is answered */
async function startSecrets(cleanup: Cleanup): Promise<string> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const secret = body.includes('sender-secret') ? SENDER_SECRET : WEBHOOK_SECRET;
      response.setHeader('content-type', 'application/x-amz-json-1.1');
      response.end(JSON.stringify({ SecretString: JSON.stringify(secret) }));
    });
  });
  cleanup.defer('stop the secrets', () => closeServer(server));
  return originOf(await listen(server, 0, 'the secrets'));
}
