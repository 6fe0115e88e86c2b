/** Reads the pages and their parts. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const root = join(import.meta.dirname, '../..');

/** A page of the project, by its path from the root. */
export const readPage = (path: string) => readFile(join(root, path), 'utf8');

/** Every page of the project, as paths from the root. */
export async function pagePaths(): Promise<string[]> {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'];
  const { stdout } = await promisify(execFile)('git', args, { cwd: root });
  return stdout.trim().split('\n');
}

const FENCED = /^```(\w*)\n(.*?)^```$/gms;

/** The fenced blocks of a page in one of the languages. */
export function blocks(page: string, ...languages: string[]): string[] {
  return [...page.matchAll(FENCED)].flatMap(([, language = '', text = '']) =>
    languages.includes(language) ? [text] : [],
  );
}

/** A page without its fenced blocks, whose contents are not headings, links or tables. */
export const prose = (page: string) => page.replaceAll(FENCED, '');

/** The text between a heading and the next one of its level or above. */
export function section(page: string, heading: string): string {
  const lines = page.split('\n');
  const start = lines.indexOf(heading);
  if (start === -1) throw new Error(`Cannot find the section "${heading}"`);
  const level = heading.indexOf(' ');
  const length = lines.slice(start + 1).findIndex((line) => /^#+ /.test(line) && line.indexOf(' ') <= level);
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).join('\n');
}

/** The rows of the first table of a section, without its header. Each is a list of cells. */
export function firstTable(text: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith('|'));
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines.slice(start + 2, end === -1 ? undefined : end).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The texts in code format. */
export const codes = (text: string | undefined) =>
  [...(text ?? '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
