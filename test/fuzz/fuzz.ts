/**
 * `npm run fuzz` posts mutated payloads to both running receivers. They must answer every post, and never with a 5xx status.
 */
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../bin/support/command.ts';
import { wholeNumber } from '../../bin/support/whole-number.ts';
import { startLocalMode } from '../../local/local-mode.ts';
import { jsonWithRepeatedKeys, mutateText, mutateValue, pick, type Random, randomFrom } from './mutate.ts';
import { customersMailCloudSeeds, sendGridSeeds } from './seeds.ts';

const API_KEY = 'key-of-the-fuzzer';
/** Allowed growth over the idle process. Equal to the bench's limit for a receiver. */
const MAX_GROWTH_MB = 64;

interface Post {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

interface Report {
  readonly statuses: Map<number, number>;
  readonly problems: string[];
  readonly seconds: number;
}

await runCommand(
  {
    command: 'npm run fuzz',
    does: 'posts mutated payloads to both receivers, and fails at the first kind of trouble',
    options: {
      requests: { default: '100000', help: 'to each receiver' },
      seed: { default: '1', help: 'the same seed makes the same requests' },
      concurrency: { default: '8', help: 'requests at one time' },
      receiver: { default: '', help: 'only ReceiveSendGrid or ReceiveCustomersMailCloud' },
    },
  },
  async ({ receiver, ...numbers }) => {
    const requests = wholeNumber('requests', numbers.requests, { max: 1e9 });
    const seed = wholeNumber('seed', numbers.seed, { max: 1e9 });
    const concurrency = wholeNumber('concurrency', numbers.concurrency, { min: 1, max: 1_000 });
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const dir = await mkdtemp(join(tmpdir(), 'todoke-fuzz-'));
    const spki = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })).export({
      type: 'spki',
      format: 'der',
    });
    await writeFile(
      join(dir, 'webhook-secret.json'),
      JSON.stringify({
        sendgridPublicKeys: [spki.toString('base64')],
        customersMailCloud: { apiKeys: [API_KEY], basic: [{ user: 'u', password: 'p' }], bearerTokens: ['t'] },
      }),
    );
    const troubles: string[] = [];
    const report = (line: string) => {
      if (/failed|Cannot|ended|exited|timed out/i.test(line)) troubles.push(line);
    };
    const local = await startLocalMode({ dir, port: 0, delayMs: 0, report });
    try {
      const receivers = [
        ['ReceiveSendGrid', local.outputs['SendGridWebhookUrl'], (random: Random) => sendGridPost(random, signWith)],
        ['ReceiveCustomersMailCloud', local.outputs['CustomersMailCloudWebhookUrl'], customersMailCloudPost],
      ] as const;
      for (const [name, url = '', makePost] of receivers.filter(([name]) => receiver === '' || name === receiver)) {
        // Every process of the receiver must have worked before its memory is measured for the first time.
        await fuzz(url, makePost, 500, seed + 1, concurrency);
        const before = await processMemoryMb(dir, name);
        const found = await fuzz(url, makePost, requests, seed, concurrency);
        const after = await processMemoryMb(dir, name);
        const growth = Math.max(...after) - Math.max(...before);
        const statuses = [...found.statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
        console.log(`${name}: ${requests} requests in ${found.seconds.toFixed(0)} s; ${statuses.join(', ')}`);
        console.log(
          `  largest process ${Math.max(...after).toFixed(0)} MB, ${growth.toFixed(0)} MB more than after 500 requests`,
        );
        if (growth > MAX_GROWTH_MB) troubles.push(`${name} grew by ${growth.toFixed(0)} MB`);
        troubles.push(...found.problems);
      }
    } finally {
      await local.stop();
      await rm(dir, { recursive: true, force: true });
    }
    if (troubles.length > 0)
      throw new Error(`${troubles.length} troubles, the first ones:\n${troubles.slice(0, 10).join('\n')}`);
    console.log('No 5xx, no crash, nothing reported.');

    function signWith(body: string, timestamp: string): string {
      return sign('sha256', Buffer.from(timestamp + body), privateKey).toString('base64');
    }
  },
);

async function fuzz(
  url: string,
  makePost: (random: Random) => Post,
  requests: number,
  seed: number,
  concurrency: number,
): Promise<Report> {
  const random = randomFrom(seed);
  const statuses = new Map<number, number>();
  const problems: string[] = [];
  const startedAtMs = Date.now();
  let sent = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (sent < requests) {
        const number = ++sent;
        const post = makePost(random);
        try {
          const response = await fetch(url, post.method === 'GET' ? { ...post, body: null } : post);
          const text = await response.text();
          statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
          if (response.status >= 500) problems.push(`request ${number}: ${response.status} ${text.slice(0, 200)}`);
          if (text.includes(API_KEY)) problems.push(`request ${number}: the answer repeats a secret`);
        } catch (error) {
          problems.push(`request ${number}: ${String(error)}`);
        }
        if (number % 20_000 === 0) console.log(`  … ${number}`);
      }
    }),
  );
  return { statuses, problems, seconds: (Date.now() - startedAtMs) / 1000 };
}

function sendGridPost(random: Random, signWith: (body: string, timestamp: string) => string): Post {
  const events = Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(sendGridSeeds, random));
  let body = jsonWithRepeatedKeys(mutateValue(events, random), random);
  if (random() < 0.1) body = mutateText(body, random);
  body = body.toWellFormed();
  const timestamp = '1600112502';
  const signature = signWith(body, timestamp);
  return {
    method: random() < 0.01 ? pick(['GET', 'PUT', 'DELETE'], random) : 'POST',
    headers: {
      'content-type': random() < 0.02 ? 'text/plain' : 'application/json',
      'x-twilio-email-event-webhook-timestamp': timestamp,
      'x-twilio-email-event-webhook-signature': random() < 0.05 ? asciiOnly(mutateText(signature, random)) : signature,
    },
    body,
  };
}

function customersMailCloudPost(random: Random): Post {
  const seed = pick(customersMailCloudSeeds, random);
  const mutated = mutateValue({ ...seed, api_key: API_KEY }, random);
  const fields = typeof mutated === 'object' && mutated !== null ? { ...mutated } : { event: mutated };
  const authorization =
    random() < 0.3
      ? pick(['Bearer t', 'Basic dTpw', 'Basic', 'Bearer x', 'Basic ====', 'Digest x'], random)
      : undefined;
  const form = random() < 0.6;
  let body = form ? formBody(fields, random) : jsonWithRepeatedKeys(random() < 0.05 ? mutated : fields, random);
  if (random() < 0.1) body = mutateText(body, random);
  return {
    method: random() < 0.01 ? pick(['GET', 'PUT', 'DELETE'], random) : 'POST',
    headers: {
      'content-type':
        random() < 0.02 ? 'multipart/form-data' : form ? 'application/x-www-form-urlencoded' : 'application/json',
      ...(authorization && { authorization }),
    },
    body: body.toWellFormed(),
  };
}

function formBody(fields: object, random: Random): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    const text = typeof value === 'string' ? value : jsonWithRepeatedKeys(value, random);
    form.append(name.toWellFormed(), text.replaceAll('<', '\\u003C').replaceAll('>', '\\u003E').toWellFormed());
  }
  return form.toString();
}

function asciiOnly(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

/** Resident memory of each process that runs the function. */
async function processMemoryMb(dir: string, functionName: string): Promise<number[]> {
  const sizes: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    try {
      const [command, environment, status] = await Promise.all(
        ['cmdline', 'environ', 'status'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')),
      );
      if (!command?.includes(dir) || !environment?.includes(`AWS_LAMBDA_FUNCTION_NAME=Todoke-${functionName}`))
        continue;
      sizes.push(Number(/VmRSS:\s+(\d+)/.exec(status ?? '')?.[1] ?? 0) / 1024);
    } catch {
      // The process has ended in the meantime.
    }
  }
  if (sizes.length === 0) throw new Error(`Cannot measure ${functionName}: none of its processes was found`);
  return sizes;
}
