import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test, vi } from 'vitest';
import { readSenderSecret } from '../../../local/aws-api/secrets-manager.ts';
import { Cleanup } from '../../../local/cleanup.ts';
import { startSimulatedProviders } from '../../../local/simulators/simulated-providers.ts';
import { temporaryDataFolder, whenFinished } from '../../temporary.ts';
import { startReceiver } from './receiver.ts';

test('events that were pending at the last stop are kept while new mail comes, and posted when the webhooks answer', async () => {
  const folder = await temporaryDataFolder();
  const receiver = await startReceiver();
  whenFinished(receiver.close);
  const cleanup = new Cleanup();
  whenFinished(() => cleanup.run(() => undefined));
  const pending = folder.path('simulators', 'sendgrid-pending.json');
  await mkdir(dirname(pending), { recursive: true });
  const left = { event: { event: 'delivered', email: 'left@example.jp' }, dueAt: 0, since: Date.now(), attempts: 0 };
  await writeFile(pending, JSON.stringify([left]));

  const secret = (name: string) => ({ arn: name, name, file: folder.path(`${name}.json`) });
  const senderSecret = secret('sender-secret');
  const providers = await startSimulatedProviders({
    folder,
    webhookSecret: secret('webhook-secret'),
    senderSecret,
    sendGridPort: 0,
    smtpPort: 0,
    sendGridWebhookUrl: receiver.url,
    customersMailCloudWebhookUrl: receiver.url,
    customersMailCloudTimeZone: undefined,
    delayMs: 3_600_000,
    cleanup,
    report: () => undefined,
  });
  const { sendgridApiKey } = await readSenderSecret(senderSecret.file);
  const mail = {
    from: { email: 'shop@example.com' },
    personalizations: [{ to: [{ email: 'new@example.jp' }] }],
    subject: 'Hello',
    content: [{ type: 'text/plain', value: 'Hello' }],
  };
  const taken = await fetch(`${providers.sendGrid.url}/v3/mail/send`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${sendgridApiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(mail),
  });
  expect(taken.status).toBe(202);
  const kept = await readFile(pending, 'utf8');
  expect(kept).toContain('left@example.jp');
  expect(kept).toContain('new@example.jp');

  providers.resume();
  const posted = () => receiver.posts.filter(({ body }) => body.includes('left@example.jp'));
  await vi.waitFor(() => expect(posted()).toHaveLength(1));
});
