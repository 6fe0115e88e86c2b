import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listen } from '../../../local/ports.ts';
import { issueLocalCertificate } from '../../../local/simulators/certificate.ts';
import { temporaryFolder } from '../../temporary.ts';

const certificate = await issueLocalCertificate();
const server = tls.createServer({ cert: certificate.cert, key: certificate.key }, (socket) => socket.end('hello'));
let port: number;

beforeAll(async () => {
  port = await listen(server, 0, 'the server of the tests');
});
afterAll(() => {
  server.close();
});

test.each(['localhost', '127.0.0.1'])('a client that trusts the authority verifies %s', async (host) => {
  const socket = tls.connect({ host, port, ca: certificate.ca });
  await once(socket, 'secureConnect');
  expect(socket.authorized).toBe(true);
  socket.destroy();
});

test('a client that does not trust the authority refuses', async () => {
  const socket = tls.connect({ host: 'localhost', port });
  await expect(once(socket, 'secureConnect')).rejects.toThrow('unable to verify the first certificate');
});

test('the certificate is for this machine only', async () => {
  const socket = tls.connect({ host: '127.0.0.1', port, ca: certificate.ca, servername: 'smtp.example.com' });
  await expect(once(socket, 'secureConnect')).rejects.toThrow("does not match certificate's altnames");
});

test('NODE_EXTRA_CA_CERTS makes a process trust it', async () => {
  const directory = temporaryFolder();
  const caPath = join(directory, 'ca.pem');
  await writeFile(caPath, certificate.ca);
  const script = `require('node:tls').connect({ host: 'localhost', port: ${port} }).pipe(process.stdout)`;
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: caPath };
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { env });
  expect(stdout).toBe('hello');
});
