/** Finds the problems in a mail before it is sent. */
import { checkAddresses, withInvisibleNamed } from '../../lambda/mail/address.ts';
import { type ItemProblem, MAX_RECIPIENTS, readItem } from '../../lambda/mail/outgoing-mail.ts';
import type { Asked } from './api.ts';

export type NewMail = Asked<'send'>;
export type Field = keyof NewMail;

const CODES = ['missing', 'notAddress', 'oneAddress', 'tooMany', 'unknown'] as const;

/** A problem of a field: a code for which the dictionaries have a text, and the value that the text quotes. */
export interface Problem {
  readonly code: (typeof CODES)[number];
  readonly value?: string;
}

/** The problems of a mail by field. Page and server call this; it uses the same function as the sender. */
export function problemsOf(mail: NewMail): Partial<Record<Field, Problem>> {
  const read = readItem({ id: 'any', ...mail });
  if ('mail' in read) return {};
  const problems: Partial<Record<Field, Problem>> = {};
  for (const found of read.problems) {
    const field = Object.keys(mail).find((name): name is Field => name === found.attribute);
    const code = CODES.find((known) => known === found.kind);
    if (field === undefined || code === undefined) throw new Error(`Cannot show in the form: ${found.says}`);
    problems[field] ??= { code, ...quotedIn(found, mail) };
  }
  return problems;
}

function quotedIn({ attribute, kind }: ItemProblem, { from, to, provider }: NewMail): { value?: string } {
  if (kind === 'tooMany') return { value: String(MAX_RECIPIENTS) };
  if (kind === 'unknown') return { value: provider };
  if (kind !== 'notAddress') return {};
  const typed = attribute === 'from' ? [from] : to;
  const wrong = typed.find((part) => checkAddresses(part).refusals.length > 0) ?? '';
  return { value: withInvisibleNamed(wrong.trim()) };
}
