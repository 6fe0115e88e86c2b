import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from '../../local/ports.ts';
import { endGroup, leashed, signalGroup, spawnLeashed } from '../../local/processes.ts';
import { whenFinished } from '../temporary.ts';
import { otherProcess } from './other-process.ts';

/** Connects to a port of the test and stays connected until the process ends. */
const connected = (port: number, then = '') =>
  `require('node:net').connect(${port}, '127.0.0.1').on('error', () => process.exit()).on('connect', () => { ${then} });`;

/** A server that shows whether a process is running: the process is connected until it ends. */
async function witness() {
  const arrived: ((socket: Socket) => void)[] = [];
  const waiting: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    const next = arrived.shift();
    if (next === undefined) waiting.push(socket);
    else next(socket);
  });
  const port = await listen(server, 0, 'the test');
  whenFinished(() => server.close());
  /** Resolves when a process has connected, with a promise that resolves when it has ended. */
  const comes = async () => {
    const socket = waiting.shift() ?? (await new Promise<Socket>((resolve) => arrived.push(resolve)));
    socket.resume();
    return { gone: new Promise<void>((resolve) => socket.once('close', () => resolve())) };
  };
  return { port, comes };
}

/** Starts a process that starts another leashed process with this code. */
const parentOf = (code: string) =>
  otherProcess(
    `import { spawnLeashed } from './local/processes.ts'; spawnLeashed(process.execPath, ['-e', process.argv[2]], {});`,
    code,
  );

test.each([
  ['idle', ''],
  ['in an endless loop', 'for (;;);'],
])('a leashed process that is %s ends with its parent, even if the parent is killed', async (_, then) => {
  const { port, comes } = await witness();
  const parent = await parentOf(connected(port, then));
  const child = await comes();
  parent.kill('SIGKILL');
  await child.gone;
});

test('a process that a leashed process started ends with the parent, too', async () => {
  const { port, comes } = await witness();
  const grandchild = JSON.stringify(connected(port));
  const parent = await parentOf(`require('node:child_process').spawn(process.execPath, ['-e', ${grandchild}]);`);
  const { gone } = await comes();
  parent.kill('SIGKILL');
  await gone;
});

test('a process that a leashed process started ends with the leashed process', async () => {
  const { port, comes } = await witness();
  const grandchild = JSON.stringify(connected(port));
  const code = `require('node:child_process').spawn(process.execPath, ['-e', ${grandchild}]).unref(); process.on('message', () => process.exit(3)); process.send('there')`;
  const child = spawnLeashed(process.execPath, ['-e', code], { messages: true });
  whenFinished(() => signalGroup(child, 'SIGKILL'));
  const { gone } = await comes();
  const exited = once(child, 'exit');
  child.send('end');
  expect(await exited).toEqual([3, null]);
  await gone;
});

test('a leashed process passes on exit code, output and messages, and has no stdin', async () => {
  const code = `process.stdin.resume().on('end', () => { console.log('out'); console.error('err'); process.send('sent'); process.disconnect(); process.exitCode = 7; })`;
  const child = spawnLeashed(process.execPath, ['-e', code], { messages: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  const [[message], [status, signal]] = await Promise.all([once(child, 'message'), once(child, 'close')]);
  expect({ message, status, signal, output: output.split('\n').toSorted() }).toEqual({
    message: 'sent',
    status: 7,
    signal: null,
    output: ['', 'err', 'out'],
  });
});

test('a process is asked to end, and killed if it does not', async () => {
  const ready = (code: string) => {
    const child = spawnLeashed(process.execPath, ['-e', `${code} process.send('ready'); setInterval(() => {}, 1000)`], {
      messages: true,
    });
    return once(child, 'message').then(() => child);
  };
  const polite = await ready(`process.on('SIGTERM', () => process.exit(5));`);
  await endGroup(polite, 60_000);
  expect(polite.exitCode).toBe(5);
  const stubborn = await ready(`process.on('SIGTERM', () => {});`);
  await endGroup(stubborn, 1);
  expect(stubborn.signalCode).toBe('SIGKILL');
  await endGroup(stubborn, 1);
});

test('on Windows, child processes that are not detached end with their parent anyway', () => {
  expect(leashed('C:\\node.exe', ['a b', '"c"'], 'win32')).toEqual({
    command: 'C:\\node.exe',
    args: ['a b', '"c"'],
    detached: false,
  });
  for (const platform of ['linux', 'darwin', 'freebsd']) {
    expect(leashed('/usr/bin/node', ['a b', '"c"'], platform)).toEqual({
      command: '/bin/sh',
      args: ['-c', expect.stringContaining('exec "$@"'), 'sh', '/usr/bin/node', 'a b', '"c"'],
      detached: true,
    });
  }
});

test('on Windows, which has no process groups, a signal goes to the process itself', async () => {
  const child = spawnLeashed(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {});
  const exited = once(child, 'exit');
  signalGroup(child, 'SIGKILL', 'win32');
  expect(await exited).toEqual([null, 'SIGKILL']);
});
