import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readStack } from '../../bin/support/outputs.ts';
import { freePort, listen, originOf } from '../../local/ports.ts';
import { temporaryFolder, whenFinished } from '../temporary.ts';

async function serverThat(answers: RequestListener): Promise<string> {
  const server = createServer(answers);
  whenFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return originOf(await listen(server, 0, 'the test'));
}

const answering = () => serverThat((_, response) => response.writeHead(400).end('{}'));
const silent = () => serverThat(() => undefined);
const gone = async () => originOf(await freePort('nobody'));

/** Writes a file with the outputs of a stack and these addresses. */
async function fileWith(addresses: Readonly<Record<string, string>>, name = 'outputs.json') {
  const dir = temporaryFolder();
  const names = ['MailTableName', 'SentLogTableName', 'BounceTableName', 'WebhookSecretName', 'SenderSecretName'];
  const outputs = { ...Object.fromEntries(names.map((output) => [output, output])), ...addresses };
  const file = join(dir, name);
  await writeFile(file, JSON.stringify({ Todoke: outputs }));
  return { dir, file };
}

describe('the error for a missing file names the command that writes it', () => {
  test('local mode, in the file’s folder', async () => {
    const dir = temporaryFolder();
    await expect(readStack(join(dir, 'outputs.json'))).rejects.toThrow(
      `it does not exist. Run \`npm start -- --dir ${dir}\` in another terminal and wait until it is ready. For a deployed`,
    );
  });

  test.skipIf(existsSync('.local/outputs.json'))('local mode, in its own folder', async () => {
    await expect(readStack('.local/outputs.json')).rejects.toThrow('Run `npm start` in another terminal');
  });

  test.each(['cdk-outputs.json', 'production.json', 'my outputs.json'])('cdk deploy: %s', async (name) => {
    const file = join(temporaryFolder(), name);
    const word = name.includes(' ') ? `"${file}"` : file;
    await expect(readStack(file)).rejects.toThrow(
      `Cannot read ${file}: it does not exist. \`npx cdk deploy --outputs-file ${word}\` writes it, also for a stack that`,
    );
  });
});

describe('the outputs of local mode', () => {
  test('are used while it answers, with any answer', async () => {
    const { file } = await fileWith({ AwsApiEndpoint: await answering(), DynamoDbEndpoint: await gone() });
    expect(await readStack(file)).toMatchObject({ name: 'Todoke', outputs: { MailTableName: 'MailTableName' } });
  });

  test.each([
    ['that has ended, although its DynamoDB still runs', gone],
    ['that does not answer in time', silent],
  ])('%s are refused, and the error says how to start it', async (_, state) => {
    const [AwsApiEndpoint, DynamoDbEndpoint] = [await state(), await answering()];
    const { dir, file } = await fileWith({ AwsApiEndpoint, DynamoDbEndpoint });
    await expect(readStack(file)).rejects.toThrow(
      `Cannot use ${file}: the local mode that wrote it does not answer at ${AwsApiEndpoint}. Run \`npm start -- --dir ${dir}\` in another terminal`,
    );
  });

  test('that were copied to another folder are refused with the plain start command', async () => {
    const { file } = await fileWith({ AwsApiEndpoint: await gone() }, 'copy.json');
    await expect(readStack(file)).rejects.toThrow('Run `npm start` in another terminal');
  });
});

test('a deployed stack is not contacted', async () => {
  const { file } = await fileWith({ SendGridWebhookUrl: await gone() }, 'cdk-outputs.json');
  expect(await readStack(file)).toMatchObject({ name: 'Todoke' });
});
