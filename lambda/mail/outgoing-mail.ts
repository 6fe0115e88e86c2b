/** Reads an item of the Mail table: as a mail that can be sent, or as a list of what to correct. */
import * as z from 'zod/mini';
import { type Address, checkAddresses, mailboxKey } from './address.ts';
import { type Attribute, adviceOn } from './attribute-names.ts';
import { type Headers, readHeaders } from './headers.ts';
import { PROVIDERS, type Provider, readProvider } from './provider.ts';

/** SendGrid's limit on one request ("Mail Send", limitations). It applies to both providers. */
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
  readonly headers: Headers;
  /** Whether it goes out to suppressed recipients, too. */
  readonly sendAnyway: boolean;
}

/** A mistake in an item. */
export interface ItemProblem {
  /** The attribute with the mistake. It may be one that Todoke does not read. */
  readonly attribute: string;
  readonly kind: 'missing' | 'notAddress' | 'oneAddress' | 'tooMany' | 'unknown' | 'notText' | 'header' | 'attribute';
  /** What to correct: a sentence without a full stop. */
  readonly says: string;
}

/** A recipient that the provider refused at the handover, and its reply. */
export interface RefusedRecipient {
  readonly recipient: string;
  readonly reply: string;
}

/** A subject, content or html. A person may have entered it as a number in the DynamoDB console. */
const text = z._default(
  z.pipe(
    z.union([z.string(), z.number(), z.bigint(), z.boolean(), z.null()]),
    z.transform((value) => String(value ?? '')),
  ),
  '',
);
const provider = z.optional(z.nullable(z.string()));

/** At most this many refused addresses of an attribute are named. A thousand would hide the item's other mistakes. */
const MAX_REFUSALS = 5;

/**
 * Reads an item of the Mail table.
 *
 * @throws Error whose message names every mistake, in one sentence
 */
export function outgoingMail(item: Readonly<Record<string, unknown>>): OutgoingMail {
  const read = readItem(item);
  if ('mail' in read) return read.mail;
  throw new Error(`Cannot send: ${read.problems.map(({ says }) => says).join('; ')}`);
}

/**
 * Reads an item of the Mail table, or lists all of its mistakes. An attribute that a user may expect to work, such as
 * `attachments` or `BCC`, is a mistake. Other attributes are the user's own.
 */
export function readItem(
  item: Readonly<Record<string, unknown>>,
): { readonly mail: OutgoingMail } | { readonly problems: readonly ItemProblem[] } {
  const problems: ItemProblem[] = [];
  const report = (attribute: string, kind: ItemProblem['kind'], says: string) =>
    void problems.push({ attribute, kind, says });

  for (const name of Object.keys(item)) {
    const advice = adviceOn(name);
    if (advice !== undefined && !isEmpty(item[name])) report(name, 'attribute', advice);
  }

  const givenProvider = provider.safeParse(item['provider']);
  const chosenProvider = readProvider(givenProvider.data);
  if (!givenProvider.success) report('provider', 'notText', 'provider is not text');
  else if (chosenProvider === undefined) {
    const shown = JSON.stringify(givenProvider.data?.slice(0, 80));
    report('provider', 'unknown', `provider is ${shown}, it must be ${PROVIDERS.join(' or ')}`);
  }

  const [sender, ...otherSenders] = addressesIn('from');
  if (otherSenders.length > 0) {
    report('from', 'oneAddress', `from has ${otherSenders.length + 1} addresses, it must have one`);
  }
  const { to, cc, bcc } = eachOnce(addressesIn('to'), addressesIn('cc'), addressesIn('bcc'));
  const recipients = to.length + cc.length + bcc.length;
  if (recipients > MAX_RECIPIENTS) {
    const says = `it has ${recipients} recipients, at most ${MAX_RECIPIENTS} are allowed; split it into several items`;
    report('to', 'tooMany', says);
  }
  const replyTo = addressesIn('replyTo');
  if (sender === undefined && isRight('from')) report('from', 'missing', 'from is missing');
  if (to.length === 0 && isRight('to')) report('to', 'missing', 'to has no recipient');

  const subject = textIn('subject');
  if (subject.trim() === '' && isRight('subject')) report('subject', 'missing', 'subject is missing');
  const content = textIn('content');
  const html = textIn('html');
  if (content.trim() === '' && html.trim() === '' && isRight('content') && isRight('html')) {
    report('content', 'missing', 'content (or html) is missing');
  }
  const { headers, problems: headerProblems } = readHeaders(item['headers']);
  for (const says of headerProblems) report('headers', 'header', says);

  const { sendAnyway } = item;
  if (!isEmpty(sendAnyway) && ![true, false, 'true', 'false'].some((value) => value === sendAnyway)) {
    report('sendAnyway', 'attribute', 'sendAnyway must be true or false');
  }

  if (problems.length > 0 || sender === undefined || chosenProvider === undefined) return { problems };
  const id = String(item['id']);
  return {
    mail: {
      id,
      provider: chosenProvider,
      from: sender,
      to,
      cc,
      bcc,
      replyTo,
      subject,
      content,
      html,
      headers,
      sendAnyway: sendAnyway === true || sendAnyway === 'true',
    },
  };

  function isRight(attribute: Attribute): boolean {
    return problems.every((problem) => problem.attribute !== attribute);
  }

  function textIn(attribute: Attribute): string {
    const parsed = text.safeParse(item[attribute]);
    if (!parsed.success) report(attribute, 'notText', `${attribute} is not text`);
    return parsed.data ?? '';
  }

  function addressesIn(attribute: Attribute): Address[] {
    const { addresses, refusals } = checkAddresses(item[attribute]);
    for (const { message } of refusals.slice(0, MAX_REFUSALS)) {
      report(attribute, 'notAddress', `${attribute}: ${message.replace('Cannot', 'cannot')}`);
    }
    const others = refusals.length - MAX_REFUSALS;
    if (others > 0) report(attribute, 'notAddress', `${attribute}: cannot use ${others} of the other addresses`);
    return addresses;
  }
}

/** Whether an attribute is empty. Some programs always write an attribute, such as an empty list of attachments. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0 && !(value instanceof Set);
}

/** Keeps only the first occurrence of each address. SendGrid refuses a mail that lists an address twice. */
function eachOnce(to: Address[], cc: Address[], bcc: Address[]) {
  const seen = new Set<string>();
  const firstTime = ({ email }: Address) => {
    const key = mailboxKey(email);
    return !seen.has(key) && seen.add(key);
  };
  return { to: to.filter(firstTime), cc: cc.filter(firstTime), bcc: bcc.filter(firstTime) };
}
