/** Formats the output of commands: with bold, dim and colors at a terminal, as plain text elsewhere. */
import { styleText } from 'node:util';
import { isErrorWithCode, messageOf } from '../../local/files.ts';

export const heading = (text: string): string => styled('bold', text);
export const faint = (text: string): string => styled('dim', text);
export const good = (text: string): string => styled('green', text);
export const bad = (text: string): string => styled('red', text);

function styled(style: 'bold' | 'dim' | 'green' | 'red', text: string): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(style, text) : text;
}

/** A path or another text as one word of a command line, in the shells of all platforms. */
export const shellWord = (text: string): string => (/^[\w./\\:=@~-]+$/.test(text) ? text : `"${text}"`);

/** `1.2 s` */
export const duration = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** A row for a person to read: one line per attribute, with long values cut. */
export function rowText(row: Readonly<Record<string, unknown>>, attributes: readonly string[], longest = 100): string {
  const shown = attributes.filter((name) => row[name] !== undefined && row[name] !== '');
  const width = Math.max(...shown.map((name) => name.length));
  return shown.map((name) => `    ${faint(name.padEnd(width))}  ${cut(row[name], longest)}`).join('\n');
}

function cut(value: unknown, longest: number): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** The message of an error for a person; for a refused connection with a hint. */
export function sentenceOf(error: unknown): string {
  const refused = error instanceof Error && isErrorWithCode(error.cause, 'ECONNREFUSED') ? error.cause : error;
  if (!isErrorWithCode(refused, 'ECONNREFUSED')) return messageOf(error);
  return `${messageOf(refused)}: nothing answers there. Is \`npm start\` still running?`;
}
