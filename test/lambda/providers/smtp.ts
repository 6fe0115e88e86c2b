/** SMTP servers for the tests. */
import net from 'node:net';
import { buffer } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import { listen } from '../../../local/ports.ts';
import type { LocalCertificate } from '../../../local/simulators/certificate.ts';

export const ACCOUNT = { user: 'smtp-user', password: 'correct horse' };

/** A server's reply other than 250. */
export function reply(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

/** A message that a server accepted. */
export interface TakenMessage {
  readonly from: string;
  readonly recipients: readonly string[];
  readonly source: Buffer;
}

export interface TestServer {
  readonly port: number;
  close(): void;
}

export interface MailServer extends TestServer {
  readonly messages: readonly TakenMessage[];
  /** The number of sign-ins. */
  readonly logins: () => number;
  /** Breaks the connection. */
  cut(session: SMTPServerSession): void;
}

/** A mail server with STARTTLS and one account. It accepts everything except what `options` refuses. */
export async function startMailServer(
  certificate: Pick<LocalCertificate, 'cert' | 'key'>,
  options: SMTPServerOptions = {},
): Promise<MailServer> {
  const messages: TakenMessage[] = [];
  let logins = 0;
  const server = new SMTPServer({
    key: certificate.key,
    cert: certificate.cert,
    logger: false,
    closeTimeout: 1,
    async onData(stream, { envelope }, callback) {
      const source = await buffer(stream);
      const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
      messages.push({ from, recipients: envelope.rcptTo.map(({ address }) => address), source });
      callback();
    },
    ...options,
    onAuth(auth, session, callback) {
      logins++;
      if (options.onAuth) return options.onAuth(auth, session, callback);
      const right = auth.username === ACCOUNT.user && auth.password === ACCOUNT.password;
      callback(
        right ? null : reply(535, '5.7.8 Authentication credentials invalid'),
        right ? { user: auth.username } : undefined,
      );
    },
  });
  // Some tests break the connection off.
  server.on('error', () => undefined);
  const sockets = new Map<number | undefined, net.Socket>();
  server.server.on('connection', (socket) => {
    const { remotePort } = socket;
    sockets.set(remotePort, socket);
    socket.once('close', () => sockets.get(remotePort) === socket && sockets.delete(remotePort));
  });
  const port = await listen(server.server, 0, 'the SMTP server of the tests');
  return {
    port,
    messages,
    logins: () => logins,
    cut: ({ remotePort }) => void sockets.get(remotePort)?.destroy(),
    close: () => server.close(),
  };
}

export interface ScriptedServer extends TestServer {
  /** Everything that the client wrote. */
  heard(): string;
}

/**
 * A server that speaks no TLS and keeps what it receives. It answers each line with the reply whose key starts the line.
 *
 * @param replies the reply `end` ends the connection
 */
export async function startScriptedServer(replies: Readonly<Record<string, string>>): Promise<ScriptedServer> {
  let heard = '';
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('220 mail.example.com ESMTP\r\n');
    socket.setEncoding('latin1').on('data', (chunk) => {
      heard += chunk;
      for (const line of String(chunk).split('\r\n')) {
        const known = Object.keys(replies).find((command) => line.startsWith(command));
        if (known === undefined) continue;
        if (replies[known] === 'end') socket.end();
        else socket.write(`${replies[known]}\r\n`);
      }
    });
  });
  const port = await listen(server, 0, 'the SMTP server of the tests');
  return { port, heard: () => heard, close: () => server.close() };
}
