/** `npm run console`: the console over a stack's tables, on this machine, until it is interrupted. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createConsole } from '../console/server/console.ts';
import { listen } from '../local/ports.ts';
import { runCommand } from './support/command.ts';
import { whenNpmIsGone } from './support/npm.ts';
import { readOutputs } from './support/outputs.ts';
import { tablesOf } from './support/tables.ts';
import { wholeNumber } from './support/whole-number.ts';

await runCommand(
  {
    command: 'npm run console',
    does: 'serves the console over a deployed stack, with your AWS credentials; it only reads, and only whoever has its address on this machine can open it',
    options: {
      outputs: { default: 'cdk-outputs.json', help: 'the outputs of the stack, as cdk deploy wrote them' },
      port: { default: '8786', help: 'of the console; 0: any that is free' },
      'allow-send': {
        default: false,
        help: 'lets the console change something: send mail, send again what failed, erase a person’s data',
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
    console.log('It opens by this whole address only; the token is good until it stops.');
    console.log(
      values['allow-send']
        ? 'It may send mail, and erase a person’s data.'
        : 'It only reads; with --allow-send it sends, too.',
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
