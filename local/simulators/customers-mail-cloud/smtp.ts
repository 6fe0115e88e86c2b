/** The SMTP server of Customers Mail Cloud's simulator. */
import { buffer } from 'node:stream/consumers';
import { domainToASCII } from 'node:url';
import {
  SMTPServer,
  type SMTPServerAuthentication,
  type SMTPServerDataStream,
  type SMTPServerSession,
} from 'smtp-server';
import { isMailbox } from '../address.ts';
import type { ReceivedMail } from './events.ts';
import { readMessage } from './message.ts';

/** A user of SMTP AUTH. */
interface SmtpCredentials {
  readonly user: string;
  readonly password: string;
}

/** What a submission server needs to know and to do. */
export interface SubmissionServerOptions {
  /** PEM. */
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Who may send; asked at each AUTH. */
  readonly credentials: () => SmtpCredentials | Promise<SmtpCredentials>;
  /** Takes a message once it has arrived whole. */
  readonly accept: (mail: ReceivedMail) => void;
}

/** An assumption: Customers Mail Cloud does not document its own limit. */
const MAX_MESSAGE_BYTES = 25 * 1024 * 1024;

/**
 * An SMTP server for submission (RFC 6409): STARTTLS, then AUTH, then mail. It accepts every recipient whose address is
 * well-formed, as Customers Mail Cloud does, which reports the outcome later. It does not listen yet.
 */
export function submissionServer({ certificate, credentials, accept }: SubmissionServerOptions): SMTPServer {
  const server = new SMTPServer({
    ...certificate,
    size: MAX_MESSAGE_BYTES,
    rejectOversized: true,
    disableReverseLookup: true,
    // Strict parsing refuses quoted local parts with two dots in a row.
    lenientAddressParsing: true,
    // Milliseconds that close() waits for open connections, at least 1: a simulator stops at once.
    closeTimeout: 1,
    onAuth: (auth, _session, callback) => {
      authenticate(auth, credentials).then((user) => callback(null, { user }), callback);
    },
    onRcptTo: ({ address }, _session, callback) => {
      callback(isMailbox(address) ? null : refusal(553, '5.1.3 Bad destination mailbox address syntax'));
    },
    onData: (stream, session, callback) => {
      receive(stream, session)
        .then((mail) => mail && accept(mail))
        .then(() => callback(), callback);
    },
  });
  // The client notices a broken connection. An error event without a listener would end the process.
  server.on('error', () => undefined);
  return server;
}

/** @returns the user's name, or undefined, which the server answers with 535 */
async function authenticate(
  { username, password }: SMTPServerAuthentication,
  credentials: SubmissionServerOptions['credentials'],
): Promise<string | undefined> {
  const known = await credentials();
  return username === known.user && password === known.password ? username : undefined;
}

/** @returns undefined for a message that is too large, which the server refuses by itself */
async function receive(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<ReceivedMail | undefined> {
  const source = await buffer(stream);
  if (stream.sizeExceeded) return undefined;
  const { mailFrom, rcptTo } = session.envelope;
  return readMessage(
    source,
    mailFrom ? mailFrom.address : '',
    rcptTo.map(({ address }) => withAsciiDomain(address)),
  );
}

/** The recipient as it came: smtp-server shows a domain `xn--…` in Unicode. */
function withAsciiDomain(address: string): string {
  const domainAt = address.lastIndexOf('@') + 1;
  return address.slice(0, domainAt) + (domainToASCII(address.slice(domainAt)) || address.slice(domainAt));
}

/** An error for smtp-server, which answers the command with this code and message. */
function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
