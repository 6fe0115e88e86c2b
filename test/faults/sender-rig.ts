/** The deployed sender in real processes that can be killed, with tables and providers that can fail. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetCommand, PutCommand, paginateScan, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { DynamoDBRecord, SQSRecord } from 'aws-lambda';
import * as z from 'zod';
import type { Row } from '../../lambda/aws/dynamodb.ts';
import { isConditionFailure } from '../../lambda/aws/update.ts';
import { decisionRow } from '../../lambda/recipients/decision.ts';
import { RESERVE_MS } from '../../lambda/sending/invocation.ts';
import { readSending } from '../../lambda/sending/retry-queue.ts';
import { type Cleanup, startOrUndo } from '../../local/cleanup.ts';
import { functionEnvironment } from '../../local/functions/function-environment.ts';
import { FUNCTION_WORKER, functionProperties } from '../../local/functions/functions.ts';
import { type InvocationOutcome, WorkerProcess } from '../../local/functions/worker-process.ts';
import { writeWorkerScript } from '../../local/functions/worker-script.ts';
import { issueLocalCertificate } from '../../local/simulators/certificate.ts';
import type { SynthesizedStack } from '../../local/stack/synthesize.ts';
import type { FaultProxy, StorageCall } from './fault-proxy.ts';
import { type Providers, startProviders } from './providers.ts';
import { isSuppressed } from './sending-cases.ts';
import { type InRound, type Refusal, type Round, type SentRows, sentRows, type Taking } from './sending-verdict.ts';
import { REGION, type TestStorage } from './storage.ts';

/** What Lambda delivers: a record of the stream or a message of RetryQueue. */
export type Delivery = DynamoDBRecord | SQSRecord;

export interface RoundOptions {
  readonly outage?: boolean;
}

export interface SenderRig {
  readonly proxy: FaultProxy;
  readonly providers: Providers;
  /** Everything that the providers have taken or refused, in order. */
  readonly takings: Taking[];
  readonly refusals: Refusal[];
  /** Unexpected crashes of the function's processes. */
  readonly crashes: string[];
  put(item: Row): Promise<void>;
  mail(id: string): Promise<Row | undefined>;
  kill(process: string): Promise<void>;
  /** Ends all processes. The next deliveries start new ones. */
  restart(): Promise<void>;
  /**
   * Delivers batches of records or of messages, all at the same time, each to its own process. Afterwards all claims lapse,
   * and everything in RetryQueue is due.
   *
   * @returns what to deliver next: what failed (from a batch's first failed record on, as Lambda does), and what was put
   * into RetryQueue
   */
  deliver(batches: readonly (readonly Delivery[])[], options?: RoundOptions): Promise<Delivery[]>;
  /** Every message that was put into RetryQueue since this list was emptied. */
  readonly messages: SQSRecord[];
}

/** The time in which the last attempt of a delivery must start. */
const TIME_MS = 2_000;

/** Makes pages small, for the same reason as in the test of a post of 5 MB in recording.test.ts. */
const PAGE_ROWS = 500;

const batchResponse = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });

/** The id of the mail to a recipient of these tests. */
export const mailIdOf = (recipient: string) => recipient.replace(/(\+.*)?@.*/, '');

export type Senders = Awaited<ReturnType<typeof startSenders>>;

/** The rigs of one stack. They are closed together with the storage's rigs, before the storage. */
export const startSenders = (stack: SynthesizedStack, storage: TestStorage) =>
  startOrUndo((cleanup) => start(stack, storage, cleanup), console.error);

async function start(stack: SynthesizedStack, storage: TestStorage, cleanup: Cleanup) {
  const { template, store } = storage;
  const dir = await mkdtemp(join(tmpdir(), 'todoke-sender-'));
  cleanup.defer('remove the folder', () => rm(dir, { recursive: true, force: true }));
  const script = writeWorkerScript(FUNCTION_WORKER, join(dir, 'function-worker.mjs'));
  const certificate = await issueLocalCertificate();
  const extraCaCertificates = join(dir, 'ca.pem');
  await writeFile(extraCaCertificates, certificate.ca);
  const properties = template.resources('AWS::Lambda::Function', functionProperties).get('SendMail');
  const taskRoot = stack.assetDirectories.get(properties?.Code.S3Key ?? '');
  if (!properties || !taskRoot) throw new Error('Cannot run SendMail: the stack has no bundle of it');
  const mailTable = template.ref('Mail');
  let started = 0;

  return {
    rig,
    /** What the tables hold. */
    async rows(): Promise<SentRows> {
      const items: Row[] = [];
      const scan = { TableName: mailTable, ConsistentRead: true, Limit: PAGE_ROWS };
      for await (const page of paginateScan({ client: store.client }, scan)) items.push(...(page.Items ?? []));
      const stored = await storage.rows();
      return sentRows(
        items,
        stored.flatMap(({ table, row }) => (table === 'SentLog' ? [row] : [])),
      );
    },
    close: () => cleanup.run(console.error),
  };

  async function rig(): Promise<SenderRig> {
    const { proxy } = await storage.rig();
    const takings: Taking[] = [];
    const refusals: Refusal[] = [];
    const crashes: string[] = [];
    const messages: SQSRecord[] = [];
    /** The new values of lapsed claims, by their old values. */
    const lapsed = new Map<string, string>();
    const processes = new Map<string, { worker: WorkerProcess; round: Round | undefined }>();
    const slots: string[] = [];
    const inRound = <Fact extends { process: string }>(fact: Fact, add: (fact: InRound<Fact>) => void) => {
      const round = processes.get(fact.process)?.round;
      if (round) add({ ...fact, round });
    };
    const providers = await startProviders(certificate, {
      taken: (mail) => inRound(mail, (taking) => takings.push(taking)),
      refused: (refused) => inRound(refused, (refusal) => refusals.push(refusal)),
      kill,
      queued: (body) => messages.push({ messageId: randomUUID(), body, eventSource: 'aws:sqs' } as SQSRecord),
    });
    cleanup.defer('stop the providers', providers.close);
    cleanup.defer('end the processes', restart);

    return { proxy, providers, takings, refusals, crashes, messages, put, mail, kill, restart, deliver };

    async function put(item: Row): Promise<void> {
      const atMs = Date.now();
      for (const email of String(item['to']).split(', ').filter(isSuppressed)) {
        const row = decisionRow({ email, outcome: 'suppressed', reason: 'of the tests', atMs });
        await store.client.send(new PutCommand({ TableName: store.bounceTable, Item: row }));
      }
      await store.client.send(new PutCommand({ TableName: mailTable, Item: item }));
    }

    async function mail(id: string): Promise<Row | undefined> {
      const key = { TableName: mailTable, Key: { id }, ConsistentRead: true };
      return (await store.client.send(new GetCommand(key))).Item;
    }

    async function kill(name: string): Promise<void> {
      const process = processes.get(name);
      if (!process) return;
      process.round?.killed.add(name);
      await end(process.worker);
    }

    async function restart(): Promise<void> {
      for (const { worker } of processes.values()) await end(worker);
    }

    async function deliver(
      batches: readonly (readonly Delivery[])[],
      { outage = false }: RoundOptions = {},
    ): Promise<Delivery[]> {
      const round: Round = { outage, killed: new Set(), ended: new Set() };
      const queuedBefore = messages.length;
      const failed = await Promise.all(batches.map((batch, slot) => invoke(slot, batch, round)));
      await proxy.settled();
      for (const id of new Set(batches.flat().map(idOf))) {
        const item = await mail(id);
        if (item?.['status'] === 'sending') await lapse(id, item);
        else if (item?.['status'] !== undefined) round.ended.add(id);
      }
      return [...new Set(failed.flat()), ...messages.slice(queuedBefore)];
    }

    /** Lets a claim lapse, unless the last write of a killed process has just ended it. */
    async function lapse(id: string, { sendingUntil }: Row): Promise<void> {
      if (typeof sendingUntil !== 'string' || sendingUntil <= new Date().toISOString()) return;
      const past = `2026-01-01T00:00:00.${String(lapsed.size).padStart(9, '0')}Z`;
      lapsed.set(sendingUntil, past);
      const update = new UpdateCommand({
        TableName: mailTable,
        Key: { id },
        UpdateExpression: 'SET sendingUntil = :past',
        ConditionExpression: 'sendingUntil = :seen',
        ExpressionAttributeValues: { ':past': past, ':seen': sendingUntil },
      });
      await store.client.send(update).catch((error) => {
        if (!isConditionFailure(error)) throw error;
      });
    }

    async function invoke(slot: number, batch: readonly Delivery[], round: Round): Promise<Delivery[]> {
      const name = processAt(slot);
      const process = processes.get(name);
      if (!process) return [...batch];
      process.round = round;
      const event = JSON.stringify({ Records: batch.map(due) });
      const message = { requestId: randomUUID(), event, functionArn: template.attribute('SendMail', 'Arn') };
      const outcome = await process.worker.invoke(message, RESERVE_MS + TIME_MS);
      if ('error' in outcome) {
        // On a busy machine, an invocation that timed out may not even have been loaded. Its effects decide.
        const { errorType, errorMessage } = outcome.error;
        if (!round.killed.has(name) && errorType !== 'Sandbox.Timedout') crashes.push(errorMessage);
        return [...batch];
      }
      return failuresOf(outcome, batch);
    }

    /** A message as it is received when it is due: the claims that it carries have lapsed. */
    function due(delivery: Delivery): Delivery {
      if (!('body' in delivery)) return delivery;
      const sending = readSending(delivery.body);
      const tickets = sending.tickets.flatMap((value) => [value, ...(lapsed.has(value) ? [lapsed.get(value)] : [])]);
      return { ...delivery, body: JSON.stringify({ ...sending, tickets, nextAttemptAtMs: 0 }) };
    }

    function processAt(slot: number): string {
      const known = slots[slot];
      if (known !== undefined && processes.get(known)?.worker.usable) return known;
      const name = `SendMail${++started}`;
      slots[slot] = name;
      const worker = new WorkerProcess({
        script,
        environment: environmentOf(name),
        cwd: taskRoot ?? '',
        onOutput: () => undefined,
      });
      processes.set(name, { worker, round: undefined });
      return name;
    }

    /** The process's name is its access key id, its path at SendGrid and its SMTP user name. So every server knows it. */
    function environmentOf(name: string): Record<string, string> {
      return functionEnvironment({
        logicalId: name,
        name: template.ref('SendMail'),
        handler: properties?.Handler ?? '',
        runtime: properties?.Runtime ?? '',
        memoryMb: properties?.MemorySize ?? 0,
        taskRoot: taskRoot ?? '',
        variables: properties?.Environment.Variables ?? {},
        wiring: {
          region: REGION,
          dynamoDbEndpoint: proxy.endpoint,
          awsApiOrigin: providers.awsUrl,
          extraCaCertificates,
          overrides: {
            SENDGRID_API_URL: `${providers.sendGridUrl}/${name}`,
            RETRY_QUEUE_URL: `${providers.awsUrl}/000000000000/RetryQueue`,
          },
        },
      });
    }
  }
}

async function end(worker: WorkerProcess): Promise<void> {
  worker.kill();
  await worker.exited;
}

function failuresOf(outcome: Extract<InvocationOutcome, { payload: string }>, batch: readonly Delivery[]): Delivery[] {
  const { batchItemFailures } = batchResponse.parse(JSON.parse(outcome.payload));
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  const hasFailed = (delivery: Delivery) =>
    failed.has(isMessage(delivery) ? delivery.messageId : (delivery.dynamodb?.SequenceNumber ?? ''));
  const first = batch.findIndex(hasFailed);
  if (first === -1) return [];
  return batch.filter((delivery, index) => (isMessage(delivery) ? hasFailed(delivery) : index >= first));
}

const isMessage = (delivery: Delivery): delivery is SQSRecord => 'body' in delivery;

function idOf(delivery: Delivery): string {
  return isMessage(delivery) ? readSending(delivery.body).id : (delivery.dynamodb?.NewImage?.['id']?.S ?? '');
}

/** Makes batches as Lambda does: of records, and of up to ten messages. */
export function batchesOf(left: readonly Delivery[]): Delivery[][] {
  const batches = [left.filter((delivery) => !isMessage(delivery))];
  const messages = left.filter(isMessage);
  for (let start = 0; start < messages.length; start += 10) batches.push(messages.slice(start, start + 10));
  return batches.filter(({ length }) => length > 0);
}

/** The mail that a call to the Mail table concerns. */
export function mailOfCall({ action, body }: StorageCall): string | undefined {
  const call = z.object({ Key: z.object({ id: z.object({ S: z.string() }) }) }).safeParse(body);
  return action === 'UpdateItem' && call.success ? call.data.Key.id.S : undefined;
}
