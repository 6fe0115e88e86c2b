/** What figures are measured with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listen } from '../../local/ports.ts';
import { type SynthesizedStack, synthesize } from '../../local/stack/synthesize.ts';
import { bundleLikeFunctions, bundleOf } from './bundles.ts';
import { type MeasuredProcess, startMeasured, writeWorkerScript } from './measured-process.ts';
import { WEBHOOK_SECRET } from './posts.ts';
import { type BenchStorage, REGION, startBenchStorage } from './storage.ts';

const SENDER_SECRET = {
  sendgridApiKey: 'SG.bench',
  customersMailCloudSmtp: { host: '', port: 587, user: '', password: '' },
};

/** What the figures are measured with. */
export interface Bench {
  readonly runs: number;
  readonly stack: SynthesizedStack;
  /** A folder for whatever a figure needs; it goes with the bench. */
  readonly dir: string;
  /** A deployed function's bundle, by logical id. */
  function(logicalId: string): string;
  /** A file of bench/, bundled as the functions are. */
  bundled(entry: string): Promise<string>;
  storage(): Promise<BenchStorage>;
  /** A bundle in a process of its own, with the environment that the stack would give it. */
  start(bundle: string, environment?: Readonly<Record<string, string>>): Promise<MeasuredProcess>;
}

/** Makes the stack, gives it to `work`, and undoes everything afterwards. */
export async function withBench(runs: number, work: (bench: Bench) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'todoke-bench-'));
  const secrets = createServer((request, response) => {
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
  const secretsPort = await listen(secrets, 0, 'the secrets');
  const processes = new Set<MeasuredProcess>();
  const storages = new Set<BenchStorage>();
  const bundles = new Map<string, string>();
  try {
    const assemblyDir = join(dir, 'assembly');
    const stack = await synthesize({ outDir: assemblyDir });
    const script = writeWorkerScript(dir);
    await work({
      runs,
      stack,
      dir,
      function: (logicalId) => bundleOf(stack, logicalId),
      async bundled(entry) {
        const made = bundles.get(entry) ?? (await bundleLikeFunctions(dir, entry));
        bundles.set(entry, made);
        return made;
      },
      async storage() {
        const storage = await startBenchStorage(stack.template);
        storages.add(storage);
        return storage;
      },
      async start(bundle, environment = {}) {
        const started = await startMeasured(script, bundle, {
          AWS_REGION: REGION,
          AWS_ACCESS_KEY_ID: 'bench',
          AWS_SECRET_ACCESS_KEY: 'bench',
          AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
          AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${secretsPort}`,
          AWS_ENDPOINT_URL_SQS: `http://127.0.0.1:${secretsPort}`,
          STACK_NAME: 'Bench',
          WEBHOOK_SECRET: 'webhook-secret',
          SENDER_SECRET: 'sender-secret',
          RETENTION_DAYS: '180',
          CUSTOMERS_MAIL_CLOUD_TIME_ZONE: 'Asia/Tokyo',
          SPILL_QUEUE_URL: `http://127.0.0.1:${secretsPort}/queue`,
          MAIL_TABLE: 'Mail',
          SENT_LOG_TABLE: 'SentLog',
          BOUNCE_TABLE: 'Bounce',
          SENDGRID_API_URL: 'http://127.0.0.1',
          ...environment,
        });
        processes.add(started);
        return started;
      },
    });
  } finally {
    await Promise.all([...processes].map((running) => running.stop()));
    await Promise.all([...storages].map((storage) => storage.close()));
    secrets.closeAllConnections();
    secrets.close();
    await rm(dir, { recursive: true, force: true });
  }
}
