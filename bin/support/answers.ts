/** Gets the answers to a command's questions from options, the environment, stdin or a person. */
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
  /** A secret from the environment or from stdin, without a question; `""` if it is not given. */
  given(name: string): string;
  /** A secret by the name of its environment variable, asked for without an echo; `""` if nobody gives one. */
  secret(name: string, question: string): Promise<string>;
  /** A value that may be shown. It is not asked for if a flag gives it. */
  open(flag: string, question: string): Promise<string>;
}

/** @param fromStdin whether stdin has lines such as `TODOKE_SENDGRID_API_KEY=SG.…`. The environment takes precedence. */
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

/** @throws Error if the person leaves the question with Ctrl-C or Ctrl-D */
async function ask(question: string, hidden: boolean): Promise<string> {
  const prompt = `  ${question}: `;
  // Readline's output is discarded, so that no key is echoed. The question would be discarded too, so it is written here.
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
