/** Starts and stops the processes with which figures are measured. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cleanup } from '../../local/cleanup.ts';
import { SDK_WARNING_OFF } from '../../local/database/dynamodb-clients.ts';
import { writeWorkerScript } from '../../local/functions/worker-script.ts';
import { writeBundle } from './bundles.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import { type StandIn, startStandIn } from './stand-in.ts';

/** Given to each figure. */
export interface Bench {
  readonly runs: number;
  /** A folder for temporary files. */
  readonly dir: string;
  /** Runs at the end, also after a failure or a signal. */
  readonly cleanup: Cleanup;
  readonly aws: StandIn;
  /**
   * Starts a bundle in a process of its own, with the environment that the stack would give it. The stand-in for AWS
   * answers at once, unless `environment` names its distant address.
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
    aws,
    async start(entry, environment = {}) {
      const started = await startMeasured(script, bundled(entry), {
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'bench',
        AWS_SECRET_ACCESS_KEY: 'bench',
        ...SDK_WARNING_OFF,
        AWS_ENDPOINT_URL: aws.url,
        STACK_NAME: 'Bench',
        WEBHOOK_SECRET: 'webhook-secret',
        SENDER_SECRET: 'sender-secret',
        RETENTION_DAYS: '180',
        CUSTOMERS_MAIL_CLOUD_TIME_ZONE: 'Asia/Tokyo',
        EVENT_QUEUE_URL: `${aws.url}/queue`,
        RETRY_QUEUE_URL: `${aws.url}/queue`,
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
