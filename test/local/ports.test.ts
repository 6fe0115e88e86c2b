import { createServer, type Server } from 'node:net';
import { expect, test, vi } from 'vitest';
import { listen } from '../../local/ports.ts';
import { whenFinished } from '../temporary.ts';

const CHOOSE = 'choose another with --port, or any that is free with --port 0';

test('the error for a taken port says how to use free ports', async () => {
  const other = createServer();
  const port = await listen(other, 0, 'the test');
  whenFinished(() => other.close());
  await expect(listen(createServer(), port, 'the webhooks')).rejects.toThrow(
    `Cannot listen on 127.0.0.1:${port} for the webhooks: another program has the port; stop it, or ${CHOOSE}`,
  );
});

test('the error for a port that the system reserves says the same', async () => {
  const server: Server = createServer();
  vi.spyOn(server, 'listen').mockImplementation(() => {
    setImmediate(() => server.emit('error', Object.assign(new Error('listen EACCES'), { code: 'EACCES' })));
    return server;
  });
  await expect(listen(server, 80, 'the webhooks')).rejects.toThrow(
    `Cannot listen on 127.0.0.1:80 for the webhooks: the system keeps this port for itself; ${CHOOSE}`,
  );
});
