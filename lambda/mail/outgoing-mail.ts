/** An item of the Mail table as a mail that can be sent, or what to mend in it. */
import * as z from 'zod/mini';
import { type Address, mailboxKey, parseAddresses } from './address.ts';
import { PROVIDERS, type Provider, readProvider } from './provider.ts';

/** SendGrid's limit on one request ("Mail Send", limitations); kept for both providers. */
export const MAX_RECIPIENTS = 1_000;

/** A mail that can be handed to a provider. */
export interface OutgoingMail {
  readonly id: string;
  readonly provider: Provider;
  readonly from: Address;
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly bcc: readonly Address[];
  readonly replyTo: readonly Address[];
  readonly subject: string;
  /** text/plain and text/html; at least one is not empty. */
  readonly content: string;
  readonly html: string;
}

/** A recipient that the provider refused when the mail was handed over, and what it replied. */
export interface RefusedRecipient {
  readonly recipient: string;
  readonly reply: string;
}

/** Numbers typed into the DynamoDB console as a subject or content are meant as text. */
const text = z._default(
  z.pipe(
    z.union([z.string(), z.number(), z.bigint(), z.boolean(), z.null()]),
    z.transform((value) => String(value ?? '')),
  ),
  '',
);

const itemSchema = z.object({
  id: z.string(),
  provider: z.optional(z.nullable(z.string())),
  subject: text,
  content: text,
  html: text,
});

const ATTRIBUTES = ['provider', 'from', 'to', 'cc', 'bcc', 'replyTo', 'subject', 'content', 'html'];

/**
 * Reads an item of the Mail table. What it does not know is somebody's own, but for `BCC` and its like: a copy that
 * nobody gets is missed by nobody.
 *
 * @throws Error whose message says, in one sentence, what to mend
 */
export function outgoingMail(item: Readonly<Record<string, unknown>>): OutgoingMail {
  for (const name of Object.keys(item)) {
    const meant = ATTRIBUTES.find((attribute) => attribute.toLowerCase() === name.toLowerCase());
    if (meant !== undefined && meant !== name) throw new Error(`Cannot send: write ${meant}, not ${name}`);
  }
  const parsed = itemSchema.safeParse(item);
  if (!parsed.success) {
    throw new Error(
      `Cannot send: ${parsed.error.issues.map(({ path: [attribute] }) => attribute).join(', ')} is not text`,
    );
  }
  const { id, subject, content, html } = parsed.data;
  const provider = readProvider(parsed.data.provider);
  if (provider === undefined) {
    throw new Error(
      `Cannot send: provider is ${JSON.stringify(parsed.data.provider)}, it must be ${PROVIDERS.join(' or ')}`,
    );
  }
  const from = addresses(item, 'from');
  const [sender, ...others] = from;
  if (sender === undefined) throw new Error('Cannot send: from is missing');
  if (others.length > 0) {
    throw new Error(`Cannot send: from has ${from.length} addresses, it must have one`);
  }
  const { to, cc, bcc } = eachOnce(addresses(item, 'to'), addresses(item, 'cc'), addresses(item, 'bcc'));
  if (to.length === 0) throw new Error('Cannot send: to has no recipient');
  const recipients = to.length + cc.length + bcc.length;
  if (recipients > MAX_RECIPIENTS) {
    throw new Error(
      `Cannot send: it has ${recipients} recipients, at most ${MAX_RECIPIENTS} are taken; split it into several items`,
    );
  }
  if (subject.trim() === '') throw new Error('Cannot send: subject is missing');
  if (content === '' && html === '') throw new Error('Cannot send: content (or html) is missing');
  return { id, provider, from: sender, to, cc, bcc, replyTo: addresses(item, 'replyTo'), subject, content, html };
}

function addresses(item: Readonly<Record<string, unknown>>, attribute: string): Address[] {
  try {
    return parseAddresses(item[attribute]);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message.replace('Cannot', 'cannot') : String(cause);
    throw new Error(`Cannot send: ${attribute}: ${problem}`, { cause });
  }
}

/** SendGrid refuses a mail in which an address stands twice; a person who typed it twice means it once. */
function eachOnce(to: Address[], cc: Address[], bcc: Address[]) {
  const seen = new Set<string>();
  const firstTime = ({ email }: Address) => {
    const key = mailboxKey(email);
    return !seen.has(key) && seen.add(key);
  };
  return { to: to.filter(firstTime), cc: cc.filter(firstTime), bcc: bcc.filter(firstTime) };
}
