import { DeleteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { beforeEach, describe, expect, test } from 'vitest';
import { readOutputs } from '../../bin/support/outputs.ts';
import { tablesOf } from '../../bin/support/stack-tables.ts';
import { unsent } from '../../console/server/mails.ts';
import { ranHere, runOn } from './command.ts';
import { runningStack } from './running-stack.ts';

const stack = runningStack();
const letter = { from: 'shop@example.com', to: 'taro@example.jp', subject: 'Hello', content: 'Are you there?' };
const resend = (...args: string[]) => runOn(stack().local.outputsFile, 'resend', ...args);

/** No test depends on the items of another. */
beforeEach(async () => {
  const { client, mail } = tablesOf(await readOutputs(stack().local.outputsFile));
  const { Items = [] } = await client.send(new ScanCommand({ TableName: mail }));
  for (const { id } of Items) await client.send(new DeleteCommand({ TableName: mail, Key: { id } }));
  client.destroy();
});

test('items that failed or were never finished are sent again, all of them, by id, or by error', async () => {
  const past = '2026-01-01T00:00:00.000Z';
  await stack().insert({ id: 'refused', ...letter, status: 'failed', error: 'SendGrid refused the API key' });
  await stack().insert({ id: 'mistyped', ...letter, to: 'nobody', status: 'failed', error: 'cannot use "nobody"' });
  await stack().insert({ id: 'lapsed', ...letter, status: 'sending', sendingUntil: past, attempts: 3 });
  await stack().insert({
    id: 'held',
    ...letter,
    status: 'sending',
    sendingUntil: '2999-01-01T00:00:00.000Z',
    attempts: 1,
  });
  await stack().insert({ id: 'done', ...letter, status: 'sent', messageId: 'm' });

  const dry = await resend('--dry-run');
  for (const line of [
    /refused: failed: SendGrid refused the API key/,
    /mistyped: failed/,
    /lapsed: was not finished by 2026/,
    /5 items.*3 stuck, 0 sent again/,
  ])
    expect(dry).toMatch(line);
  expect(await stack().mail('refused')).toMatchObject({ status: 'failed' });

  expect(await resend('--error', 'API key')).toMatch(/1 stuck, 1 sent again/);
  expect(await stack().settled('refused')).toMatchObject({ status: 'sent', attempts: 1 });
  expect(await resend('--id', 'lapsed')).toMatch(/Looked at 1 item .*1 stuck, 1 sent again/);
  expect(await stack().settled('lapsed')).toMatchObject({ status: 'sent', attempts: 1 });
  expect(await stack().mail('mistyped')).toMatchObject({ error: 'cannot use "nobody"' });

  expect(await resend('--id', 'lapsed')).toMatch(/lapsed is sent: .*delete its attribute status[\s\S]*0 sent again/);
  const unknown = await ranHere(stack().local.outputsFile, 'resend', ['--id', 'nobody-knows']);
  expect(unknown).toMatchObject({ status: 1, stderr: expect.stringMatching(/nobody-knows.*no item with this id/) });
  const refused = await ranHere(stack().local.outputsFile, 'resend');
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/with --id, --error or --all/) });
  expect(await resend('--all')).toMatch(/1 stuck, 1 sent again/);
  expect(await stack().settled('mistyped')).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/not an e-mail address/),
  });
  expect(await stack().mail('held')).toMatchObject({ status: 'sending' });
  expect(await stack().mail('done')).toMatchObject({ messageId: 'm' });
});

describe('other items', () => {
  const deferred = { status: 'sending', nextAttemptAt: '2999-01-01T00:00:00.000123Z', error: 'SendGrid … (503)' };
  const done = (id: string) =>
    stack().edit(
      id,
      'SET #s = :sent, #m = :m REMOVE #note',
      { '#s': 'status', '#m': 'messageId', '#note': 'note' },
      { ':sent': 'sent', ':m': 'm' },
    );
  const stuck = { id: 'whole', ...letter, to: 'nobody', status: 'failed', error: 'cannot use' };

  test('an item that cannot be updated is named, the others are sent, and the command fails', async () => {
    // Of the 400 KB that DynamoDB allows, less is left than the attribute resentAt needs.
    await stack().insert({ id: 'full', ...letter, status: 'failed', note: 'x'.repeat(400 * 1024 - 115) });
    await stack().insert(stuck);
    const { stdout, stderr, status } = await ranHere(stack().local.outputsFile, 'resend', ['--all']);
    expect(stdout).toMatch(/^full: CANNOT be sent again: .*size/m);
    expect(stdout).toMatch(/stuck, \d+ sent again/);
    expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(/Cannot send 1 item again/), status: 1 });
    expect(await stack().settled('whole')).toHaveProperty('resentAt');
    await done('full');
  });

  test('deferred items, and items with a status that Todoke never writes, are shown and left alone', async () => {
    const items = {
      deferred,
      foo: { status: 'foo' },
      one: { status: 1 },
      'sent without a trace': { status: 'sent' },
      'sending without end': { status: 'sending' },
    };
    for (const [id, item] of Object.entries(items)) await stack().insert({ id, ...letter, ...item });
    await stack().insert(stuck);
    for (const args of [['--dry-run'], ['--all']]) {
      const printed = await resend(...args);
      for (const line of [
        /^deferred: next attempt at 2999-01-01T00:00:00.000123Z: SendGrid … \(503\)$/m,
        /^foo: has the status "foo", which Todoke never writes$/m,
        /^one: has the status 1, which Todoke never writes$/m,
        /^sent without a trace: is sent, but has neither messageId nor error, which Todoke never writes$/m,
        /^sending without end: is sending, but has neither sendingUntil nor nextAttemptAt, which Todoke never writes$/m,
        /^1 deferred: Todoke tries them again/m,
        /^4 with a status that Todoke never writes/m,
      ])
        expect(printed).toMatch(line);
    }
    // This item was sent again.
    await stack().settled('whole');
    const shown = await unsent(tablesOf(await readOutputs(stack().local.outputsFile)), {});
    for (const [id, item] of Object.entries(items)) {
      expect(await stack().mail(id)).toEqual({ id, ...letter, ...item });
      const inConsole = shown.items.find((listed) => listed.id === id);
      expect(inConsole).toMatchObject({ status: String(item.status), stuck: undefined });
      const { nextAttemptAt, odd } = inConsole ?? {};
      expect(id === 'deferred' ? nextAttemptAt : odd).toMatch(id === 'deferred' ? /^2999/ : /status|neither/);
      await done(id);
    }
  });

  test('an item whose recipients are all suppressed is sent again by id or error, but not by --all', async () => {
    const error = 'Cannot send: every recipient is suppressed: taro@example.jp is suppressed';
    await stack().insert({ id: 'to nobody', ...letter, status: 'failed', error });
    for (const args of [['--dry-run'], ['--all']]) {
      const printed = await resend(...args);
      expect(printed).not.toMatch(/^to nobody/m);
      expect(printed).toMatch(
        /^1 left out, because all their recipients are suppressed\. .*--error suppressed, .*--id/m,
      );
    }
    expect(await stack().mail('to nobody')).not.toHaveProperty('resentAt');
    expect(await resend('--error', 'suppressed', '--dry-run')).toMatch(/^to nobody: failed: Cannot send/m);
    expect(await resend('--id', 'to nobody')).toMatch(/1 stuck, 1 sent again/);
    expect(await stack().settled('to nobody')).toMatchObject({ status: 'sent' });
  });

  test('a new item is not stuck, but an item that still has no status after a while is', async () => {
    let isHeld = true;
    stack().storage.plan = ({ caller, action }) => {
      // Released after the first scan of the command.
      if (action === 'Scan' && !isHeld) stack().storage.plan = () => undefined;
      return caller === 'SendMail' ? 'error 500' : undefined;
    };
    await stack().insert({ id: 'just put', ...letter });
    const stuckFor = (seconds: number) => resend('--dry-run', '--wait', String(seconds));
    // An item that another test sent again may also be waiting.
    expect(await stuckFor(1)).toMatch(
      /^\d+ items? without status\. Looking again in 1 second …\n(.+\n)*just put: has no status$/m,
    );
    isHeld = false;
    expect(await stuckFor(5)).not.toMatch(/just put: has no status/);
    expect(await stack().settled('just put')).toMatchObject({ status: 'sent' });
  });
});
