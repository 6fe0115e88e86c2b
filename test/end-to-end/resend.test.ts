import { expect, test } from 'vitest';
import { ranHere, runOn } from './command.ts';
import { runningStack } from './running-stack.ts';

const stack = runningStack();
const letter = { from: 'shop@example.com', to: 'taro@example.jp', subject: 'Hello', content: 'Are you there?' };
const resend = (...args: string[]) => runOn(stack().local.outputsFile, 'resend', ...args);

test('what failed, and what was begun and never ended, is sent again: all of it, by id, or by error', async () => {
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
    /lapsed: was being sent until 2026/,
    /5 items.*3 stuck, 0 sent again/,
  ])
    expect(dry).toMatch(line);
  expect(await stack().mail('refused')).toMatchObject({ status: 'failed' });

  expect(await resend('--error', 'API key')).toMatch(/1 stuck, 1 sent again/);
  expect(await stack().settled('refused')).toMatchObject({ status: 'sent', attempts: 1 });
  expect(await resend('--id', 'lapsed')).toMatch(/Looked at 1 item .*1 stuck, 1 sent again/);
  expect(await stack().settled('lapsed')).toMatchObject({ status: 'sent', attempts: 1 });
  expect(await stack().mail('mistyped')).toMatchObject({ error: 'cannot use "nobody"' });

  expect(await resend('--id', 'lapsed')).toMatch(/lapsed is sent: .*delete its status[\s\S]*0 sent again/);
  const unknown = await ranHere(stack().local.outputsFile, 'resend', ['--id', 'nobody-knows']);
  expect(unknown).toMatchObject({ status: 1, stderr: expect.stringMatching(/nobody-knows.*no item with this id/) });
  const refused = await ranHere(stack().local.outputsFile, 'resend');
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/say what, with --id, --error or --all/) });
  expect(await resend('--all')).toMatch(/1 stuck, 1 sent again/);
  expect(await stack().settled('mistyped')).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/not an e-mail address/),
  });
  expect(await stack().mail('held')).toMatchObject({ status: 'sending' });
  expect(await stack().mail('done')).toMatchObject({ messageId: 'm' });
});
