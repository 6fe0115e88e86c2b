import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { readOutputs } from '../../bin/support/outputs.ts';
import { documentClientOf } from '../../bin/support/stack-tables.ts';
import { until } from '../end-to-end/running-stack.ts';
import { assemblyDir } from '../prepared.ts';
import { temporaryFolder } from '../temporary.ts';
import { blocks, readPage, root, section } from './pages.ts';

const english = await readPage('README.md');
const design = await readPage('docs/design.md');

/** The pages with full versions in both languages. */
const PAIRS = [
  ['README.md', 'README.ja.md'],
  ['docs/deploy.md', 'docs/ja/deploy.md'],
  ['docs/support.md', 'docs/ja/support.md'],
  ['docs/console.md', 'docs/ja/console.md'],
] as const;

/** Pages whose Japanese version links to the English one for references and long code blocks. */
const SHORTER = [
  ['docs/operations.md', 'docs/ja/operations.md'],
  ['docs/applications.md', 'docs/ja/applications.md'],
] as const;

test.each(SHORTER)('each command of %s is in %s, too', async (first, second) => {
  const commands = async (path: string) => blocks(await readPage(path), 'sh', 'ts');
  expect(await commands(second)).toEqual(await commands(first));
});

test('the Japanese page on operations has a section for each alarm', async () => {
  const alarms = (page: string, heading: string) =>
    [...section(page, heading).matchAll(/^`([A-Z]\w+)`(?:[,、] ?`([A-Z]\w+)`)?: /gm)].flatMap((found) =>
      found.slice(1),
    );
  const expected = alarms(await readPage('docs/operations.md'), '## Alarms');
  expect(expected.length).toBeGreaterThan(10);
  expect(alarms(await readPage('docs/ja/operations.md'), '## アラーム')).toEqual(expected);
});

test.each(PAIRS)('%s and %s have the same commands, code and example rows', async (first, second) => {
  const code = async (path: string) => blocks(await readPage(path), 'sh', 'ts', 'json');
  expect(await code(second)).toEqual(await code(first));
});

test.each(PAIRS)('%s and %s link to the same pages', async (first, second) => {
  expect(await linkedPages(second)).toEqual(await linkedPages(first));
});

/** The targets of a page's links, from the root. A page is named without its language and its headings. */
async function linkedPages(path: string): Promise<string[]> {
  return [...(await readPage(path)).matchAll(/\]\(([^#)][^)]*)\)/g)]
    .map(([, target = '']) => (/^[a-z]+:/.test(target) ? target : join(dirname(path), target.replace(/#.*/, ''))))
    .map((target) => target.replace('docs/ja/', 'docs/').replace(/[.-]ja\./, '.'))
    .filter((target) => target !== path.replace('docs/ja/', 'docs/').replace('.ja.', '.'))
    .toSorted();
}

let copy: string;
beforeAll(async () => {
  copy = temporaryFolder();
  const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout: files } = await promisify(execFile)('git', listed, { cwd: root });
  for (const file of files.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
    await cp(join(root, file), join(copy, file));
  }
  // It was made from the same files, so it is not made again.
  await cp(await assemblyDir(), join(copy, '.local/assembly'), { recursive: true });
  // Replaces `npm ci`, because tests use no registry.
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
});

test('the first commands work in a clean copy and print what the READMEs show, and the design page shows the same rows', async () => {
  const [start, suite, tryIt = ''] = blocks(section(english, '## See it work'), 'sh');
  expect(start).toBe('npm ci && npm start\n');
  expect(suite).toBe('npm ci && npm test\n');
  expect(tryIt).toBe('npm run try\n');

  // Not the README's ports, because they may be taken.
  const stack = npm('start', '--', '--port', '0', '--delay-ms', '50');
  await stack.printed(/Ctrl-C stops/);
  const outputs = await readOutputs(join(copy, '.local/outputs.json'));

  const played = npm(...tryIt.trim().split(' ').slice(1));
  expect(await played.ended).toBe(0);
  const [shown = ''] = blocks(section(english, '## See it work'), '');
  expect(shown).toContain('→ Bounce');
  for (const line of shown.trimEnd().split('\n')) {
    // Compares each line up to where it is cut, and without the time in the item's id and in the address.
    expect(played.output()).toContain(
      line
        .replace(/ …$/, '')
        .replace(/try-.*/, 'try-')
        .replace(/bounce\+.*/, 'bounce+'),
    );
  }

  const [item = ''] = blocks(section(design, '### Mail: what to send'), 'json');
  const [row = ''] = blocks(section(design, '### Bounce: what went wrong'), 'json');
  const db = documentClientOf(outputs);
  onTestFinished(() => db.destroy());
  await db.send(new PutCommand({ TableName: outputs.MailTableName, Item: JSON.parse(item) }));
  const bounced = await until('the item of the page to bounce', async () => {
    const { Items = [] } = await db.send(new ScanCommand({ TableName: outputs.BounceTableName }));
    return Items.find((found) => found['mailId'] === 'order-1001' && found['matched'] === true);
  });
  expect(withoutIdsAndTimes(bounced)).toEqual(withoutIdsAndTimes(JSON.parse(row)));

  // It also stops if npm ends without passing the signal on.
  stack.end('SIGTERM');
  await stack.ended;
  expect(stack.output()).toContain('Stopped. Everything is kept in .local');
}, 120_000);

const IDS_AND_TIMES =
  /^(fullMessageId|eventId|messageId|sg_event_id|timestamp|occurredAt|receivedAt|day|expiresAt|smtp-id)$/;

function withoutIdsAndTimes(row: Record<string, unknown>) {
  return JSON.parse(JSON.stringify(row, (name, value) => (IDS_AND_TIMES.test(name) ? typeof value : value)));
}

/** Runs an npm command in the copy, with only the environment variables that a person has. */
function npm(...args: string[]) {
  const child = spawn('npm', args, {
    cwd: copy,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its own process group, which gets a signal as a whole, as from a terminal: npm passes no signal on.
    detached: true,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], npm_config_update_notifier: 'false' },
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const interrupt = () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, 'SIGINT');
  };
  onTestFinished(async () => {
    interrupt();
    await ended;
  });
  const errors = text(child.stderr);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  return {
    ended,
    output: () => output,
    printed: (pattern: RegExp) =>
      printed(
        child,
        pattern,
        () => output,
        ended.then(() => errors),
      ),
    end: (signal: NodeJS.Signals) => child.kill(signal),
  };
}

function printed(
  child: ChildProcessByStdio<null, Readable, Readable>,
  pattern: RegExp,
  output: () => string,
  failed: Promise<string>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (pattern.test(output())) resolve();
    };
    child.stdout.on('data', look);
    look();
    void failed.then((errors) => reject(new Error(`It ended before it printed ${pattern}: ${output()}${errors}`)));
  });
}
