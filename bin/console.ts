/** `npm run console`: the console over a stack's tables, on this machine, until it is interrupted. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createConsole } from '../console/server/console.ts';
import { listen } from '../local/ports.ts';
import { runCommand } from './support/command.ts';
import { whenNpmIsGone } from './support/npm.ts';
import { readOutputs } from './support/outputs.ts';
import { tablesOf } from './support/stack-tables.ts';
import { wholeNumber } from './support/whole-number.ts';

await runCommand(
  {
    command: 'npm run console',
    does: 'serves the console of a deployed stack on this machine, with your AWS credentials. It is read-only, and opens only at the address that this command prints',
    options: {
      outputs: {
        default: 'cdk-outputs.json',
        help: 'the file with the outputs of the stack, written by cdk deploy --outputs-file',
      },
      port: { default: '8786', help: 'port of the console; 0 takes any free port' },
      'allow-send': {
        default: false,
        help: 'allows changes in the console: send mail, send failed items again, suppress or allow addresses, erase a person’s data',
      },
    },
  },
  async (values) => {
    const wantedPort = wholeNumber('port', values.port, { max: 65_535 });
    const outputs = await readOutputs(values.outputs);
    const tables = tablesOf(outputs);
    const token = randomBytes(24).toString('base64url');
    const server = createServer(
      createConsole({
        mode: 'deployed',
        tables,
        canSend: values['allow-send'],
        token,
        report: (line) => console.error(line),
      }),
    );
    const port = await listen(server, wantedPort, 'the console');
    console.log(`The console is at http://127.0.0.1:${port}/#token=${token} (Ctrl-C stops it)`);
    console.log('It opens only at this whole address. The token is valid until the console stops.');
    console.log(
      values['allow-send']
        ? 'The console can send mail, suppress or allow addresses, and erase a person’s data.'
        : 'The console is read-only. With --allow-send it can send mail and change data.',
    );
    await new Promise<void>((resolve) => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve());
      whenNpmIsGone(resolve);
    });
    server.close();
    server.closeAllConnections();
    tables.client.destroy();
  },
);
