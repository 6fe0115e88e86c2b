/** Bundled as the functions are, and run in a process of its own: what is compared without any request. */
import { createPublicKey } from 'node:crypto';
import { EventWebhook } from '@sendgrid/eventwebhook';
import { normalizeCustomersMailCloud } from '../../lambda/providers/customers-mail-cloud/events.ts';
import { acceptCustomersMailCloud } from '../../lambda/providers/customers-mail-cloud/webhook.ts';
import { normalizeSendGrid } from '../../lambda/providers/sendgrid/events.ts';
import { parseSendGrid, verifySendGrid } from '../../lambda/providers/sendgrid/webhook.ts';
import type { Compared, Comparison } from './compare.ts';

const TIMESTAMP = 'x-twilio-email-event-webhook-timestamp';
const SIGNATURE = 'x-twilio-email-event-webhook-signature';
const WARM_UP_RUNS = 2;

export async function handler(comparison: Comparison): Promise<Compared> {
  const { runs, repeat } = comparison;
  const [oursOnce, theirsOnce] = sides(comparison);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let run = -WARM_UP_RUNS; run < runs; run++) {
    const [a, b] = [cpuMicroseconds(oursOnce, repeat.ours), cpuMicroseconds(theirsOnce, repeat.theirs)];
    if (run < 0) continue;
    ours.push(a);
    theirs.push(b);
  }
  return { ours, theirs };
}

function sides({ what, headers, body, secret }: Comparison): [() => unknown, () => unknown] {
  const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const request = { method: 'POST', headers: Object.fromEntries(lowerCase), body: Buffer.from(body) };
  switch (what) {
    case 'normalize SendGrid':
      return [
        () => {
          verifySendGrid(request, [secret]);
          return parseSendGrid(request).map(normalizeSendGrid);
        },
        () => JSON.parse(body),
      ];
    case 'normalize Customers Mail Cloud': {
      const credentials = { apiKeys: [secret], basic: [], bearerTokens: [] };
      return [
        () =>
          acceptCustomersMailCloud(request, credentials).map((entry) =>
            normalizeCustomersMailCloud(entry, 'Asia/Tokyo'),
          ),
        () => JSON.parse(body),
      ];
    }
    case 'verify': {
      const helper = new EventWebhook();
      const pem = createPublicKey({ key: Buffer.from(secret, 'base64'), format: 'der', type: 'spki' });
      const key = helper.convertPublicKeyToECDSA(pem.export({ type: 'spki', format: 'pem' }).toString());
      return [
        () => verifySendGrid(request, [secret]),
        () => {
          const right = helper.verifySignature(
            key,
            body,
            request.headers[SIGNATURE] ?? '',
            request.headers[TIMESTAMP] ?? '',
          );
          if (!right) throw new Error('Cannot compare: the official helper refuses the signature');
        },
      ];
    }
  }
}

function cpuMicroseconds(work: () => unknown, times: number): number {
  const before = process.cpuUsage();
  for (let n = 0; n < times; n++) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}
