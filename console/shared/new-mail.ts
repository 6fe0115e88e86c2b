/** What is to be mended in a mail before it is sent. */
import { parseAddresses, withInvisibleNamed } from '../../lambda/mail/address.ts';
import { MAX_RECIPIENTS, outgoingMail } from '../../lambda/mail/outgoing-mail.ts';
import { PROVIDERS } from '../../lambda/mail/provider.ts';
import type { Asked } from './api.ts';

export type NewMail = Asked<'send'>;
export type Field = keyof NewMail;

/** What is wrong with a field: a word of the dictionaries, and what is quoted in it. */
export interface Problem {
  readonly code: 'missing' | 'notAddress' | 'oneAddress' | 'tooMany' | 'unknown';
  readonly value?: string;
}

/** What is to be mended before a mail can be sent, by field. The page and the server ask the same. */
export function problemsOf(mail: NewMail): Partial<Record<Field, Problem>> {
  const problems: Partial<Record<Field, Problem>> = {
    ...addressProblem('from', [mail.from]),
    ...addressProblem('to', mail.to),
  };
  if (!PROVIDERS.some((name) => name === mail.provider)) problems.provider = { code: 'unknown', value: mail.provider };
  if (mail.subject.trim() === '') problems.subject = { code: 'missing' };
  if (mail.content.trim() === '') problems.content = { code: 'missing' };
  if (Object.keys(problems).length === 0) outgoingMail({ id: 'any', ...mail });
  return problems;
}

function addressProblem(field: 'from' | 'to', given: readonly string[]): Partial<Record<Field, Problem>> {
  let count = 0;
  for (const part of given) {
    try {
      count += parseAddresses(part).length;
    } catch {
      return { [field]: { code: 'notAddress', value: withInvisibleNamed(part.trim()) } };
    }
  }
  if (count === 0) return { [field]: { code: 'missing' } };
  if (field === 'from' && count > 1) return { from: { code: 'oneAddress' } };
  if (count > MAX_RECIPIENTS) return { to: { code: 'tooMany', value: String(MAX_RECIPIENTS) } };
  return {};
}
