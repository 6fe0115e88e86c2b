/** Answers to the questions of a command, and their sources. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** The secrets that are asked for, each with its environment variable. */
export const SENDING_KEY = 'TODOKE_SENDGRID_API_KEY';
export const SMTP_PASSWORD = 'TODOKE_SMTP_PASSWORD';
/** A SendGrid key that may edit webhooks: it is used, and stored nowhere. */
export const WEBHOOK_KEY = 'TODOKE_SENDGRID_WEBHOOK_KEY';
const SECRETS = [SENDING_KEY, SMTP_PASSWORD, WEBHOOK_KEY];

/** Where answers come from: the environment, lines `NAME=value` on stdin, and a person at a terminal. */
export interface Answers {
  /** Whether a person sits at a terminal. */
  readonly interactive: boolean;
  /** A secret that no question asks for; `""` if it is not given. */
  given(name: string): string;
  /** A secret by the name of its environment variable, asked for without an echo; `""` if nobody gives one. */
  secret(name: string, question: string): Promise<string>;
  /** A value that may be shown. It is not asked for if a flag gives it. */
  open(flag: string, question: string): Promise<string>;
}

/**
 * @param fromStdin whether stdin has secrets, a line each: `TODOKE_SENDGRID_API_KEY=SG.…`. What the environment has goes
 * before it.
 */
export async function openAnswers(fromStdin: boolean): Promise<Answers> {
  const piped = fromStdin ? parseLines(await text(process.stdin)) : new Map<string, string>();
  const interactive = !fromStdin && process.stdin.isTTY === true && process.stdout.isTTY === true;
  const given = (name: string) => (process.env[name] || piped.get(name) || '').trim();
  return {
    interactive,
    given,
    secret: async (name, question) => (given(name) !== '' || !interactive ? given(name) : ask(question, true)),
    open: async (flag, question) => (flag !== '' || !interactive ? flag : ask(question, false)),
  };
}

/** @throws Error where the question is broken off with Ctrl-C or Ctrl-D */
async function ask(question: string, hidden: boolean): Promise<string> {
  const prompt = `  ${question}: `;
  // What readline would echo goes nowhere, the question with it: that is written beside it.
  if (hidden) process.stdout.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: hidden ? nowhere : process.stdout, terminal: true });
  const brokenOff = new AbortController();
  lines.on('SIGINT', () => brokenOff.abort());
  lines.on('close', () => brokenOff.abort());
  try {
    return (await lines.question(hidden ? '' : prompt, { signal: brokenOff.signal })).trim();
  } catch (cause) {
    throw new Error(
      'Cannot go on: the question was cancelled. Values that are stored already are kept; run the command again',
      { cause },
    );
  } finally {
    lines.close();
    if (hidden) process.stdout.write('\n');
  }
}

function parseLines(input: string): Map<string, string> {
  return new Map(
    input.split('\n').flatMap((line) => {
      const [, name, value] = /^\s*(\w+)=(.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) return [];
      if (!SECRETS.includes(name)) throw new Error(`Cannot use ${name} from stdin: it must be ${SECRETS.join(' or ')}`);
      return [[name, value] as const];
    }),
  );
}
