import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CONSOLE_HEADER } from '../../console/shared/api.ts';
import { commandsDir } from '../prepared.ts';
import { temporaryFolder } from '../temporary.ts';

/** The outputs of a stack that does not exist. Nothing is read until a view is opened. */
const OUTPUTS = Object.fromEntries(
  ['MailTableName', 'SentLogTableName', 'BounceTableName', 'SendGridWebhookUrl', 'CustomersMailCloudWebhookUrl']
    .concat('WebhookSecretName', 'SenderSecretName')
    .map((name) => [name, name]),
);

async function session(...args: string[]) {
  const dir = temporaryFolder();
  const file = join(dir, 'cdk-outputs.json');
  await writeFile(file, JSON.stringify({ Todoke: OUTPUTS }));
  const command = spawn(
    process.execPath,
    [join(await commandsDir(), 'console.mjs'), '--outputs', file, '--port', '0', ...args],
    {
      cwd: join(import.meta.dirname, '../..'),
      env: { ...process.env, AWS_REGION: 'ap-northeast-1', AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = once(command, 'exit');
  onTestFinished(() => void command.kill('SIGKILL'));
  let output = '';
  let answer: unknown;
  let without: unknown;
  for await (const chunk of command.stdout) {
    output += String(chunk);
    const [, url, token] = /(http:\/\/127\.0\.0\.1:\d+\/)#token=([\w-]+) /.exec(output) ?? [];
    if (url === undefined || answer !== undefined || !output.includes('send')) continue;
    const ask = (headers: Record<string, string>) =>
      fetch(`${url}api/session`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', [CONSOLE_HEADER]: '1', ...headers },
        body: '{}',
      });
    without = (await ask({})).status;
    answer = await (await ask({ Authorization: `Bearer ${token}` })).json();
    command.kill('SIGINT');
  }
  const [code] = await exited;
  return { session: answer, without, output, code };
}

test('npm run console serves a deployed stack’s page, which is read-only without --allow-send', async () => {
  const tables = { mail: 'MailTableName', sentLog: 'SentLogTableName', bounce: 'BounceTableName' };
  const reading = await session();
  expect(reading).toMatchObject({ code: 0, session: { mode: 'deployed', canSend: false, canTry: false, tables } });
  expect(reading.without).toBe(401);
  expect(reading.output).toContain('The console is read-only');
  const sending = await session('--allow-send');
  expect(sending).toMatchObject({ code: 0, session: { canSend: true, canTry: false } });
  const tokenOf = (output: string) => /#token=([\w-]{32}) /.exec(output)?.[1];
  expect(tokenOf(reading.output)).toBeDefined();
  expect(tokenOf(sending.output)).not.toBe(tokenOf(reading.output));
});
