/** A stack whose settings leave out a provider and the event bus, in local mode, with the commands. */
import { existsSync } from 'node:fs';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readOutputs } from '../../bin/support/outputs.ts';
import { documentClientOf } from '../../bin/support/stack-tables.ts';
import { type LocalMode, startLocalMode } from '../../local/local-mode.ts';
import { oneProviderAssemblyDir } from '../prepared.ts';
import { temporaryFolder, whenFinished } from '../temporary.ts';
import { ranHere, runOn } from './command.ts';
import { until } from './running-stack.ts';

describe.each([
  {
    provider: 'customers-mail-cloud',
    other: 'sendgrid',
    outputOfOther: 'SendGridWebhookUrl',
    skipped: ['SendGrid, events', 'a forged SendGrid post', "SendGrid's Event Webhook", "SendGrid's test post"],
    headingOfOther: 'SendGrid, events',
  },
])('with providers=$provider', ({ provider, other, outputOfOther, skipped, headingOfOther }) => {
  let local: LocalMode;
  const reported: string[] = [];
  beforeAll(async () => {
    const report = (line: string) => reported.push(line);
    local = await startLocalMode({
      dir: temporaryFolder(),
      port: 0,
      delayMs: 0,
      assemblyDir: await oneProviderAssemblyDir(),
      report,
    });
    whenFinished(local.stop);
  });

  test('the walk-throughs work with that provider, but not with the other', async () => {
    const played = await runOn(local.outputsFile, 'try', '--provider', provider);
    expect(played).toMatch(/joined with the mail that was sent/);
    expect(played).not.toContain(`--provider ${other}`);
    expect(played).not.toContain('EventBridge');
    expect(existsSync(local.outputs['PublishedEventsFile'] ?? '')).toBe(false);
    await expect(ranHere(local.outputsFile, 'try', ['--provider', other])).resolves.toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`Cannot try ${other}: the setting \`providers\` leaves its webhook out`),
    });
    expect(local.outputs).not.toHaveProperty(outputOfOther);
  });

  test('mail is still sent through the other, and no events of it are reported', async () => {
    const outputs = await readOutputs(local.outputsFile);
    const client = documentClientOf(outputs);
    onTestFinished(() => client.destroy());
    const TableName = outputs.MailTableName;
    const id = `through ${other}`;
    const letter = { from: 'a@example.com', to: 'bounce@example.jp', subject: 's', content: 'c' };
    await client.send(new PutCommand({ TableName, Item: { id, provider: other, ...letter } }));
    await until('the mail to be sent', async () => {
      const { Item } = await client.send(new GetCommand({ TableName, Key: { id } }));
      return Item?.['status'] === 'sent' || undefined;
    });
    const { sendGrid, customersMailCloud } = local.providers;
    await Promise.all([sendGrid.idle(), customersMailCloud.idle()]);
    expect(reported.filter((line) => /Cannot|failed|refused|answered/.test(line))).toEqual([]);
  });

  test('the doctor skips the checks of the other, and finds no problem', async () => {
    const said = await runOn(local.outputsFile, 'doctor');
    const lines = said.split('\n').filter((line) => line.includes('the setting `providers` leaves this provider out'));
    expect(lines).toEqual(skipped.map((name) => `  skip  ${name}: the setting \`providers\` leaves this provider out`));
    expect(said).toMatch(/All is well/);
  });

  test('the setup asks nothing about the webhook of the other', async () => {
    const said = await runOn(local.outputsFile, 'setup', '--skip-doctor');
    expect(said).toContain(`${headingOfOther}\n  not received: the setting \`providers\` leaves this provider out\n`);
  });
});
