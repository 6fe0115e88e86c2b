/** Figure: verifications of SendGrid's signature. */
import { createPublicKey } from 'node:crypto';
import { EventWebhook } from '@sendgrid/eventwebhook';
import { verifySendGrid } from '../../lambda/providers/sendgrid/webhook.ts';
import type { Bench } from '../support/bench.ts';
import { type Figure, figure, median, ratios } from '../support/figure.ts';
import { bounces, SENDGRID_PUBLIC_KEY, signed } from '../support/posts.ts';

const EVENTS = 10;

/** Ours against SendGrid's own helper, in turn. */
export async function signature(bench: Bench): Promise<Figure[]> {
  const body = JSON.stringify(bounces({ tag: 'signature', count: EVENTS }));
  const headers = Object.fromEntries(Object.entries(signed(body)).map(([name, value]) => [name.toLowerCase(), value]));
  const request = { method: 'POST', headers, body: Buffer.from(body) };
  const signatureText = headers['x-twilio-email-event-webhook-signature'] ?? '';
  const timestamp = headers['x-twilio-email-event-webhook-timestamp'] ?? '';
  const helper = new EventWebhook();
  const pem = createPublicKey({ key: Buffer.from(SENDGRID_PUBLIC_KEY, 'base64'), format: 'der', type: 'spki' });
  const helperKey = helper.convertPublicKeyToECDSA(pem.export({ type: 'spki', format: 'pem' }).toString());
  const theirsOnce = () => {
    if (!helper.verifySignature(helperKey, body, signatureText, timestamp)) throw new Error('Cannot compare: refused');
  };
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let run = -1; run < bench.runs; run++) {
    const [a, b] = [
      cpuMicroseconds(() => verifySendGrid(request, [SENDGRID_PUBLIC_KEY]), 2_000),
      cpuMicroseconds(theirsOnce, 40),
    ];
    if (run < 0) continue;
    ours.push(a);
    theirs.push(b);
  }
  const perSecond = (samples: readonly number[]) => Math.round(1e6 / median(samples)).toLocaleString('en-US');
  return [
    figure({
      name: 'signature',
      samples: ratios(theirs, ours),
      unit: "times the official helper's verifications a second",
      goal: { atLeast: 30 },
      detail: `${perSecond(ours)} a second, the helper ${perSecond(theirs)}; a post of ${EVENTS} events`,
    }),
  ];
}

function cpuMicroseconds(work: () => void, times: number): number {
  const before = process.cpuUsage();
  for (let n = 0; n < times; n++) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}
