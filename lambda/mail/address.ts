/** Reads e-mail addresses as people and programs write them, and makes the keys by which they are compared. */
import * as z from 'zod/mini';

/** A mailbox: the address and, where known, the name that is shown with it. */
export interface Address {
  readonly email: string;
  readonly name?: string;
}

/**
 * One `@`, and a domain of dot-separated labels. The local part has no space, no control character, and no other
 * character that it could have only in quotation marks (RFC 5321, 4.1.2); its dots may be anywhere. A label has `\p{M}`
 * because some scripts need combining marks (RFC 5892, 2.1).
 */
const EMAIL =
  /^[^\s@"(),:;<>[\\\]\p{Cc}]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{M}\p{N}])?\.)*[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{M}\p{N}])?$/u;
/** Format characters, such as a zero width space. People copy them with an address without seeing them. */
const INVISIBLE = /\p{Cf}/u;
const ALL_INVISIBLE = /\p{Cf}/gu;
/** RFC 5321, 4.5.3.1.3: a path has 256 octets, its angle brackets included. */
const EMAIL_MAX_LENGTH = 254;

const addressObject = z.object({ email: z.string(), name: z.optional(z.nullable(z.string())) });

/**
 * The addresses in what a person or a program typed: a JSON string `{"email":"…","name":"…"}` or a JSON array of these,
 * a map or a list of maps, or plain `a@example.com` or `Name <a@example.com>`, several of them separated by commas.
 * The quotation marks of `"a..b"@example.com` are left out; quotedIfNeeded adds them again.
 *
 * @throws Error that quotes the part that is not an address
 */
export function parseAddresses(value: unknown): Address[] {
  const addresses = [...candidates(value, 0)].map((read) => read());
  for (const { email } of addresses) refuseInvisible(email);
  return addresses;
}

/** Like parseAddresses, but returns all refusals beside the addresses. */
export function checkAddresses(value: unknown): { readonly addresses: Address[]; readonly refusals: Error[] } {
  const addresses: Address[] = [];
  const refusals: Error[] = [];
  for (const read of candidates(value, 0)) {
    try {
      const address = read();
      refuseInvisible(address.email);
      addresses.push(address);
    } catch (error) {
      refusals.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  return { addresses, refusals };
}

/** Like parseAddresses, but leaves out anything that is not an address: for rows that other programs wrote. */
export function readAddresses(value: unknown): Address[] {
  return [...candidates(value, 0)].flatMap((read) => {
    try {
      return [read()];
    } catch {
      return [];
    }
  });
}

/** DynamoDB's limit on nesting. JSON that is nested deeper is not read as addresses. */
const MAX_DEPTH = 32;

/** The candidates for addresses in a value. Each is a function that reads the address, or throws. */
function* candidates(value: unknown, depth: number): Iterable<() => Address> {
  if (value === undefined || value === null) return;
  if (depth > MAX_DEPTH)
    yield () => refuse('read', 'lists in lists in lists', 'as an address: it is nested too deeply');
  else if (Array.isArray(value) || value instanceof Set) for (const part of value) yield* candidates(part, depth + 1);
  else if (typeof value === 'string') yield* candidatesInText(value.trim(), depth);
  else yield () => addressOf(value);
}

function* candidatesInText(text: string, depth: number): Iterable<() => Address> {
  if (!/^[{[]/.test(text) || text.endsWith('>')) {
    for (const part of splitAtCommas(text)) yield () => mailbox(part);
    return;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    yield () => refuse('read', text, 'as an address: it starts like JSON, but is not valid JSON');
    return;
  }
  yield* candidates(parsed, depth + 1);
}

function addressOf(value: unknown): Address {
  const parsed = addressObject.safeParse(value);
  return parsed.success
    ? address(parsed.data.email, parsed.data.name ?? '')
    : refuse('read', value, 'as an address: it has no email');
}

/** Splits a text at its commas, except at those inside quotation marks or angle brackets. */
function splitAtCommas(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  let angled = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quoted && character === '\\') at++;
    else if (character === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (character === '<' || character === '>') angled = character === '<';
    else if (character === ',' && !angled) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** Reads `a@example.com`, `Name <a@example.com>` or `"Name, with a comma" <a@example.com>`. */
function mailbox(text: string): Address {
  if (!text.endsWith('>')) return address(text, '');
  const open = text.lastIndexOf('<');
  const name = text.slice(0, open).trim();
  const quoted = name.length > 1 && name.startsWith('"') && name.endsWith('"');
  if (open === -1 || (!quoted && /[<>"]/.test(name))) refuse('use', text, ': it is not an e-mail address');
  const email = text.slice(open + 1, -1);
  return address(email, quoted ? name.slice(1, -1).replace(/\\(.)/g, '$1') : name, email || text);
}

/** @param shown the text that an error quotes */
function address(email: string, name: string, shown = email): Address {
  const plain = withoutQuotationMarks(email.trim());
  const domainAt = plain.lastIndexOf('@') + 1;
  // As for a lookup (UTS 46): NFKC composes NFD, which macOS writes, and narrows full-width letters.
  const mailbox = plain.slice(0, domainAt) + plain.slice(domainAt).normalize('NFKC');
  if (mailbox.length > EMAIL_MAX_LENGTH || !EMAIL.test(mailbox)) {
    refuseInvisible(shown);
    refuse('use', shown, ': it is not an e-mail address');
  }
  // A line break in a name would end its header. Other spaces stay, such as U+3000, which separates Japanese names.
  const trimmedName = name
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  return trimmedName === '' ? { email: mailbox } : { email: mailbox, name: trimmedName };
}

function refuseInvisible(email: string): void {
  const [character] = INVISIBLE.exec(email) ?? [];
  if (character === undefined) return;
  refuse('use', email, `: it has an invisible character, ${codePointName(character)}; type the address again`);
}

/** A character as in Unicode's charts: `U+200B`. */
function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Replaces invisible characters by their names, as in `taro<U+200B>@example.jp`. */
export function withInvisibleNamed(text: string): string {
  return text.replace(ALL_INVISIBLE, (character) => `<${codePointName(character)}>`);
}

function refuse(what: 'read' | 'use', value: unknown, why: string): never {
  const text =
    typeof value === 'object'
      ? JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part))
      : String(value);
  const quoted = JSON.stringify(withInvisibleNamed(text.length > 80 ? `${text.slice(0, 80)}…` : text));
  throw new Error(`Cannot ${what} ${quoted}${why.startsWith(':') ? '' : ' '}${why}`);
}

/**
 * The address in the form in which it is compared and looked up. It is in lower case, because the large receivers
 * ignore case (RFC 5321, 2.4, leaves that to the receiving host). It has no quotation marks around its local part. Its
 * domain is in the A-label form (`xn--…`, RFC 5890), because SMTP servers see that form.
 */
export function mailboxKey(email: string): string {
  const key = withoutQuotationMarks(email.toLowerCase());
  return NOT_ASCII.test(key) ? withAsciiDomain(key.normalize('NFC')) : key;
}

const NOT_ASCII = /[\u0080-\uffff]/;
/** A domain with characters beyond ASCII. It has no character that would end the host name in a URL. */
const UNICODE_DOMAIN = /^[\p{L}\p{M}\p{N}.-]+$/u;

function withAsciiDomain(key: string): string {
  const domainAt = key.lastIndexOf('@') + 1;
  const domain = key.slice(domainAt);
  if (!NOT_ASCII.test(domain) || !UNICODE_DOMAIN.test(domain)) return key;
  // `URL` and not `node:url`: the console's page compares addresses, too.
  const url = `http://${domain}`;
  return URL.canParse(url) ? key.slice(0, domainAt) + new URL(url).hostname : key;
}

/** Makes `a..b@example.com` of `"a..b"@example.com`. Both are the same mailbox (RFC 5321, 4.1.2). */
function withoutQuotationMarks(email: string): string {
  if (!email.startsWith('"')) return email;
  return email.replace(/^"(.*)"@/, (_, local: string) => `${local.replace(/\\(.)/g, '$1')}@`);
}

/** A local part that needs no quotation marks (RFC 5321, 4.1.2, Dot-string; RFC 6531 for characters beyond ASCII). */
const DOT_STRING = /^[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+(?:\.[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+)*$/;

/**
 * The address in the form that providers accept. Japanese carriers issued many addresses such as `a..b@docomo.ne.jp`.
 * RFC 5321 allows them only in quotation marks: `"a..b"@docomo.ne.jp`.
 */
export function quotedIfNeeded(email: string): string {
  const at = email.lastIndexOf('@');
  return DOT_STRING.test(email.slice(0, at)) ? email : `"${email.slice(0, at)}"${email.slice(at)}`;
}
