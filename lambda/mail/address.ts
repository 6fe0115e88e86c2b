/** Email addresses in the forms in which people and programs write them. */
import * as z from 'zod/mini';

/** A mailbox: the address and, where known, the name that is shown with it. */
export interface Address {
  readonly email: string;
  readonly name?: string;
}

/**
 * One `@`, no space or control character, a domain of dot-separated labels: what a mail system can take as
 * `local-part@domain` (RFC 5321, 4.1.2) without quoting. Labels of some scripts have combining marks (RFC 5892, 2.1).
 */
const EMAIL =
  /^[^\s@"(),:;<>[\\\]\p{Cc}]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{M}\p{N}])?\.)*[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{M}\p{N}])?$/u;
/** Format characters, such as a zero width space. They are copied with an address, but are no part of it. */
const INVISIBLE = /\p{Cf}/u;
const ALL_INVISIBLE = /\p{Cf}/gu;
/** RFC 5321, 4.5.3.1.3: a path has 256 octets, its angle brackets included. */
const EMAIL_MAX_LENGTH = 254;

const addressObject = z.object({ email: z.string(), name: z.optional(z.nullable(z.string())) });

/**
 * The addresses in what a person or a program typed: a JSON string `{"email":"…","name":"…"}` or a JSON array of these,
 * a map or a list of maps, or plain `a@example.com` or `Name <a@example.com>`, several of them separated by commas.
 * The quotation marks of `"a..b"@example.com` are left out: quotedIfNeeded puts them back.
 *
 * @throws Error that quotes what is no address.
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

/** DynamoDB's limit on nesting. JSON that nests deeper is not a list of addresses. */
const MAX_DEPTH = 32;

/** Candidates for addresses. Calling one reads the address, or throws. */
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

/** Commas inside quotation marks or angle brackets separate nothing. */
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

/** `a@example.com`, `Name <a@example.com>` or `"Name, with a comma" <a@example.com>`. */
function mailbox(text: string): Address {
  if (!text.endsWith('>')) return address(text, '');
  const open = text.lastIndexOf('<');
  const name = text.slice(0, open).trim();
  const quoted = name.length > 1 && name.startsWith('"') && name.endsWith('"');
  if (open === -1 || (!quoted && /[<>"]/.test(name))) refuse('use', text, ': it is not an e-mail address');
  const email = text.slice(open + 1, -1);
  return address(email, quoted ? name.slice(1, -1).replace(/\\(.)/g, '$1') : name, email || text);
}

/** @param shown what a refusal quotes */
function address(email: string, name: string, shown = email): Address {
  const plain = withoutQuotationMarks(email.trim());
  const domainAt = plain.lastIndexOf('@') + 1;
  // As domains are looked up (UTS 46): NFD, which macOS writes, and full-width letters become what was meant.
  const mailbox = plain.slice(0, domainAt) + plain.slice(domainAt).normalize('NFKC');
  if (mailbox.length > EMAIL_MAX_LENGTH || !EMAIL.test(mailbox)) {
    refuseInvisible(shown);
    refuse('use', shown, ': it is not an e-mail address');
  }
  // A line break in a name would end the header that it is written into. Other spaces stay: U+3000 parts Japanese names.
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

/** `U+200B`, as Unicode's charts have it. */
function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** A text with its invisible characters named, as in `taro<U+200B>@example.jp`. */
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
 * The address in the form in which it is compared and looked up. Case does not matter, as with every receiver of note
 * (RFC 5321, 2.4, lets it), and nor do the quotation marks of a quoted local part. A domain is in its A-label form
 * (`xn--…`, RFC 5890): that is what SMTP servers see, whichever form was typed.
 */
export function mailboxKey(email: string): string {
  const key = withoutQuotationMarks(email.toLowerCase());
  return NOT_ASCII.test(key) ? withAsciiDomain(key.normalize('NFC')) : key;
}

const NOT_ASCII = /[\u0080-\uffff]/;
/** What may be a domain beyond ASCII: nothing that would end a host name in a URL. */
const UNICODE_DOMAIN = /^[\p{L}\p{M}\p{N}.-]+$/u;

function withAsciiDomain(key: string): string {
  const domainAt = key.lastIndexOf('@') + 1;
  const domain = key.slice(domainAt);
  if (!NOT_ASCII.test(domain) || !UNICODE_DOMAIN.test(domain)) return key;
  // `URL` and not `node:url`: the console's page compares addresses, too.
  const url = `http://${domain}`;
  return URL.canParse(url) ? key.slice(0, domainAt) + new URL(url).hostname : key;
}

/** `"a..b"@example.com` as `a..b@example.com`: the same mailbox (RFC 5321, 4.1.2). */
function withoutQuotationMarks(email: string): string {
  if (!email.startsWith('"')) return email;
  return email.replace(/^"(.*)"@/, (_, local: string) => `${local.replace(/\\(.)/g, '$1')}@`);
}

/** A local part that needs no quotation marks (RFC 5321, 4.1.2, Dot-string); beyond ASCII by RFC 6531. */
const DOT_STRING = /^[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+(?:\.[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+)*$/;

/**
 * The address as providers take it: `a..b@docomo.ne.jp`, of which Japanese carriers gave out many, is no address by the
 * letter of RFC 5321, and `"a..b"@docomo.ne.jp` is.
 */
export function quotedIfNeeded(email: string): string {
  const at = email.lastIndexOf('@');
  return DOT_STRING.test(email.slice(0, at)) ? email : `"${email.slice(0, at)}"${email.slice(at)}`;
}
