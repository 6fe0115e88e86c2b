/** `npm start`: the whole stack on this machine, until it is interrupted. */
import { startLocalMode } from '../local/local-mode.ts';
import { runCommand } from './support/command.ts';
import { localConsole } from './support/local-console.ts';
import { whenNpmIsGone } from './support/npm.ts';
import { DEFAULT_DIR } from './support/outputs.ts';
import { duration, heading } from './support/terminal.ts';
import { welcome } from './support/welcome.ts';
import { wholeNumber } from './support/whole-number.ts';

const SAME_SIGNAL_MS = 1_000;

await runCommand(
  {
    command: 'npm start',
    does: 'runs Todoke on this machine: the stack, its tables, and simulators of both providers',
    options: {
      port: {
        default: '8787',
        help: 'port of the webhooks; DynamoDB, SendGrid, SMTP and the sign-in take the next four; 0 takes any free ports',
      },
      dir: { default: DEFAULT_DIR, help: 'the folder that keeps the tables, secrets and logs between starts' },
      'delay-ms': { default: '1000', help: 'how long the simulated providers take to deliver' },
      'sign-in': {
        default: false,
        help: 'serves the console for a team, as a deployed stack does: people sign in at an OpenID provider on this machine',
      },
      'dynamodb-endpoint': {
        default: '',
        help: 'uses a DynamoDB Local that runs already, such as http://127.0.0.1:8000',
      },
    },
  },
  async (values) => {
    if (values.dir === '') throw new Error('Cannot start: --dir is empty, it must name a folder');
    const startedAtMs = Date.now();
    const interrupted = new AbortController();
    const stopped = new Promise<void>((resolve) => {
      let firstAtMs: number | undefined;
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.on(name, () => {
          firstAtMs ??= Date.now();
          // One Ctrl-C arrives twice: from the terminal, and passed on by npm. The second signal is not a second Ctrl-C.
          if (name !== 'SIGHUP' && Date.now() - firstAtMs > SAME_SIGNAL_MS) {
            console.error('\nStopped at once. The next npm start cleans up.');
            process.exit(130);
          }
          interrupted.abort(new Error('Cannot start: interrupted'));
          resolve();
        });
      }
    });
    whenNpmIsGone(() => process.emit('SIGHUP'));
    console.log(heading('Todoke on this machine'));
    const report = (line: string) => console.log(`${duration(Date.now() - startedAtMs).padStart(7)}  ${line}`);
    const local = await startLocalMode({
      dir: values.dir,
      port: wholeNumber('port', values.port, { max: 65_531 }),
      delayMs: wholeNumber('delay-ms', values['delay-ms'], { max: 3_600_000 }),
      dynamoDbEndpoint: endpoint(values['dynamodb-endpoint']),
      ...(values['sign-in'] ? { signIn: true } : { page: localConsole(report) }),
      signal: interrupted.signal,
      report,
    });
    report('Ready');
    console.log(welcome(local.outputs, values.dir));
    await stopped;
    console.log('\nStopping … (Ctrl-C again stops at once)');
    await local.stop();
    console.log(`Stopped. Everything is kept in ${values.dir}; the next npm start continues with it.`);
  },
);

function endpoint(text: string): string | undefined {
  if (text === '' || (URL.canParse(text) && /^https?:\/\//.test(text))) return text || undefined;
  throw new Error(`Cannot start: --dynamodb-endpoint is ${text}, it must be an address such as http://127.0.0.1:8000`);
}
