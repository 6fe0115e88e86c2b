import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { type DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { readOutputs, type StackOutputs } from '../../bin/support/outputs.ts';
import { documentClientOf } from '../../bin/support/stack-tables.ts';
import { openDataFolder } from '../../local/data-folder.ts';
import { choosePorts, freePort, originOf } from '../../local/ports.ts';
import { assemblyDir, commandsDir } from '../prepared.ts';
import { temporaryFolder } from '../temporary.ts';
import { ran, ranHere } from './command.ts';
import { until } from './running-stack.ts';

const root = join(import.meta.dirname, '../..');

let dir: string;
beforeEach(async () => {
  dir = temporaryFolder();
});

const outputsFile = () => join(dir, 'outputs.json');

describe('npm start', () => {
  test('shows progress, addresses and next steps; the walk-through works; the next start continues with the same data', async () => {
    await synthesizedBefore();
    const start = await startCommand('--port', '0', '--dir', dir, '--delay-ms', '50');
    const outputs = await readOutputs(outputsFile());
    expect(start.output()).toMatch(/Starting DynamoDB[\s\S]*Ready/);
    for (const address of [
      outputs.SendGridWebhookUrl,
      outputs.CustomersMailCloudWebhookUrl,
      outputs.DynamoDbEndpoint,
      outputs.SendGridApiUrl,
      outputs.SmtpUrl,
    ]) {
      expect(start.output()).toContain(address);
    }
    expect(start.output()).toContain('npm run try');
    expect(start.output()).toContain(`${outputs.ConsoleUrl}   send messages`);
    expect(await (await fetch(outputs.ConsoleUrl ?? '')).text()).toContain('<title>Todoke</title>');

    // The walk-through of SendGrid is played by the READMEs' test.
    const played = await run('try', '--outputs', outputsFile(), '--provider', 'customers-mail-cloud');
    expect(played).toMatchObject({ code: 0, stderr: '' });
    expect(played.stdout.match(/joined with the mail that was sent/g)).toHaveLength(4);
    expect(played.stdout).toMatch(/✓ and no row in Bounce/);
    expect(played.stdout).toMatch(
      /Cannot send: every recipient is suppressed: bounce\+\d+@example\.jp is suppressed since/,
    );
    expect(played.stdout).toMatch(/Next steps[\s\S]*npx cdk deploy --outputs-file cdk-outputs\.json/);
    const before = await counts(outputs);
    expect(Math.min(...before)).toBeGreaterThan(1);
    const secretBefore = await readFile(join(dir, 'webhook-secret.json'), 'utf8');

    const beside = await run('start', '--port', '0', '--dir', dir);
    expect(beside).toMatchObject({ code: 1, stderr: expect.stringContaining(dir) });
    expect(existsSync(outputsFile())).toBe(true);

    expect(await start.interrupt()).toBe(0);
    expect(start.errors()).toBe('');
    expect(existsSync(outputsFile())).toBe(false);
    await expectNothingLeft(outputs);
    const leftovers = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.tmp'));
    expect(leftovers).toEqual([]);

    const second = await startCommand('--port', '0', '--dir', dir);
    const outputsAgain = await readOutputs(outputsFile());
    expect(await counts(outputsAgain)).toEqual(before);
    expect(await readFile(join(dir, 'webhook-secret.json'), 'utf8')).toBe(secretBefore);
    const pathOf = ({ SendGridWebhookUrl = 'none' }: StackOutputs) => new URL(SendGridWebhookUrl).pathname;
    expect(pathOf(outputsAgain)).toBe(pathOf(outputs));
    expect(await second.interrupt()).toBe(0);
  });

  test('leaves nothing behind if it is interrupted while it starts', async () => {
    const start = await spawnCommand('--port', '0', '--dir', dir);
    await start.printed(/Synthesizing/);
    await start.interrupt();
    expect(existsSync(outputsFile())).toBe(false);
    expect(await processesIn(dir)).toEqual([]);
    await (await openDataFolder(dir)).release();
  });

  test('posts all events after a restart, if it was killed between a mail and its events', async () => {
    await synthesizedBefore();
    const port = await freePorts();
    const killed = await startCommand('--port', String(port), '--dir', dir, '--delay-ms', '2000');
    const outputs = await readOutputs(outputsFile());
    const db = tables(outputs);
    const letter = { from: 'a@example.com', to: 'bounce@example.jp', subject: 's', content: 'c', sendAnyway: true };
    for (const provider of ['sendgrid', 'customers-mail-cloud']) {
      await db.send(
        new PutCommand({ TableName: outputs.MailTableName, Item: { id: `killed ${provider}`, provider, ...letter } }),
      );
      await until('the mail to be handed over', async () => {
        const { Item } = await db.send(
          new GetCommand({ TableName: outputs.MailTableName, Key: { id: `killed ${provider}` } }),
        );
        return Item?.['status'] === 'sent' || undefined;
      });
    }
    await killed.kill();
    await untilNothingIsLeft(outputs);

    const again = await startCommand('--port', String(port), '--dir', dir, '--delay-ms', '2000');
    const dbAgain = tables(await readOutputs(outputsFile()));
    await until('both mails to bounce', async () => {
      const { Items = [] } = await dbAgain.send(new ScanCommand({ TableName: outputs.BounceTableName }));
      const mails = new Set(Items.filter((row) => row['outcome'] === 'bounced').map((row) => row['mailId']));
      return (mails.has('killed sendgrid') && mails.has('killed customers-mail-cloud')) || undefined;
    });
    expect(await again.interrupt()).toBe(0);
  }, 120_000);

  test('names a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void taken.close());
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const refused = await run('start', '--port', String(port), '--dir', dir);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(String(port)) });
  });

  test.each([
    [['--port', '-1'], /Cannot use --port -1: it must be a whole number from 0 to 65531/],
    [['--colour', 'red'], /Cannot use --colour: there is no such option\. `npm start -- --help` lists the options/],
    [['--dynamodb-endpoint', '127.0.0.1:18000'], /127\.0\.0\.1:18000, it must be an address such as http:\/\//],
    [['--dir', '/proc/x'], /Cannot use \/proc\/x: .*; choose another --dir/],
  ])('%j is refused in one sentence', async (args, words) => {
    const refused = await run('start', ...args);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(words) });
    expect(refused.stderr).not.toMatch(/\n\s+at /);
  });
});

describe('npm run try', () => {
  test('says what to do if no stack is running', async () => {
    expect(await ranHere(outputsFile(), 'try')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`Run \`npm start -- --dir ${dir}\` in another terminal`),
    });
  });

  test('refuses an option that npm took for itself, because the command would not see it', async () => {
    const refused = await ran(outputsFile(), 'replay', [], { environment: { npm_config_dry_run: 'true' } });
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/npm kept it for itself.*`npm run replay -- --dry-run`/),
    });
  });

  test.each([
    ['that is also given after --', 'replay', ['--dry-run'], 'npm_config_dry_run'],
    ['that allows changes and is given', 'forget', ['taro@example.jp', '--yes'], 'npm_config_yes'],
    ['that allows changes and is not given', 'forget', ['taro@example.jp'], 'npm_config_yes'],
  ])('an .npmrc may set an option %s', async (_, command, args, variable) => {
    const { stderr } = await ran(outputsFile(), command, args, { environment: { [variable]: 'true' } });
    expect(stderr).toContain(`Cannot read ${outputsFile()}: it does not exist`);
  });

  test('says so if the stack ended without a regular stop', async () => {
    const gone = { Todoke: await outputsOfNobody() };
    await writeFile(outputsFile(), JSON.stringify(gone));
    expect(await ranHere(outputsFile(), 'try')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(
        `Cannot use ${outputsFile()}: the local mode that wrote it does not answer at ${gone.Todoke.DynamoDbEndpoint}. Run \`npm start -- --dir ${dir}\` in another`,
      ),
    });
  });

  test('refuses an unknown provider', async () => {
    expect(await ranHere(outputsFile(), 'try', ['--provider', 'post'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/must be sendgrid or customers-mail-cloud/),
    });
  });

  test('lists its options with --help', async () => {
    expect(await ranHere(outputsFile(), 'try', ['--help'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/--outputs[\s\S]*--provider/),
    });
  });
});

/** The number of rows in each table. */
function counts(outputs: StackOutputs): Promise<number[]> {
  const names = [outputs.MailTableName, outputs.SentLogTableName, outputs.BounceTableName];
  return Promise.all(
    names.map(async (TableName) => {
      const { Count = 0 } = await tables(outputs).send(new ScanCommand({ TableName, Select: 'COUNT' }));
      return Count;
    }),
  );
}

function tables(outputs: StackOutputs): DynamoDBDocumentClient {
  const client = documentClientOf(outputs);
  onTestFinished(() => client.destroy());
  return client;
}

/** The first of four consecutive free ports. They are below the ports that Linux assigns for port 0. */
async function freePorts(): Promise<number> {
  for (let first = 10_000 + ((process.pid * 4) % 20_000); ; first += 4) {
    const ports = await choosePorts(first, true).catch(() => undefined);
    if (ports) return ports.webhooks;
  }
}

async function expectNothingLeft(outputs: StackOutputs): Promise<void> {
  for (const url of [outputs.SendGridWebhookUrl, outputs.DynamoDbEndpoint, outputs.SendGridApiUrl]) {
    await expect(fetch(url ?? '')).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  }
  expect(await processesIn(dir)).toEqual([]);
}

/** Waits until the child processes of a killed process have ended, too. */
async function untilNothingIsLeft(outputs: StackOutputs): Promise<void> {
  await until('its processes to be gone', async () => (await processesIn(dir)).length === 0 || undefined);
  await expectNothingLeft(outputs);
}

/** The command lines of the processes that name the folder. */
async function processesIn(folder: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
  return stdout.split('\n').filter((line) => line.includes(folder));
}

async function run(command: string, ...args: string[]) {
  const child = spawn(process.execPath, [join(await commandsDir(), `${command}.mjs`), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit(child)]);
  return { stdout, stderr, code };
}

async function startCommand(...args: string[]) {
  const command = await spawnCommand(...args);
  await command.printed(/Ctrl-C stops/);
  return command;
}

async function spawnCommand(...args: string[]) {
  const child = spawn(process.execPath, [join(await commandsDir(), 'start.mjs'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = exit(child);
  let output = '';
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const watchers = new Set<() => void>();
  child.stdout.on('data', (chunk) => {
    output += chunk;
    for (const look of watchers) look();
  });
  return {
    output: () => output,
    errors: () => errors,
    printed: (pattern: RegExp) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (pattern.test(output)) resolve();
        };
        watchers.add(look);
        look();
        void exited.then((code) =>
          reject(new Error(`It ended with ${code} before it printed ${pattern}: ${output}${errors}`)),
        );
      }),
    interrupt: () => {
      child.kill('SIGINT');
      return exited;
    },
    /** Processes that it started keep its output open a little longer. */
    kill: () => {
      child.kill('SIGKILL');
      return new Promise((resolve) => child.once('exit', resolve));
    },
  };
}

function exit(child: ChildProcessByStdio<null, Readable, Readable>): Promise<number | null> {
  return new Promise((resolve) => child.once('close', resolve));
}

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += chunk;
  return all;
}

/** Synthesizes the stack first, as an earlier start would have done: bundling takes the longest. */
async function synthesizedBefore(): Promise<void> {
  await cp(await assemblyDir(), join(dir, 'assembly'), { recursive: true });
}

/** The outputs of a local mode that ended without a regular stop. No server listens at its addresses. */
async function outputsOfNobody(): Promise<StackOutputs> {
  const url = originOf(await freePort('nobody'));
  return {
    MailTableName: 'Mail',
    SentLogTableName: 'SentLog',
    BounceTableName: 'Bounce',
    SendGridWebhookUrl: url,
    CustomersMailCloudWebhookUrl: url,
    WebhookSecretName: 'WebhookSecret',
    SenderSecretName: 'SenderSecret',
    SendGridRegion: 'global',
    NoNewsHours: 4,
    DynamoDbEndpoint: url,
  };
}
