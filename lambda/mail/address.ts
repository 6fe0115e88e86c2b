import * as z from 'zod/mini';

/** A mailbox: the address and, where known, the name that is shown with it. */
export interface Address {
  readonly email: string;
  readonly name?: string;
}

/**
 * One `@`, no space or control character, a domain of dot-separated labels: what a mail system can take as
 * `local-part@domain` (RFC 5321, 4.1.2) without quoting. Limits: 64 octets before the `@`, 254 in all (RFC 5321, 4.5.3.1).
 */
const EMAIL =
  /^[^\s@"(),:;<>[\\\]\p{Cc}]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)*[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?$/u;

/** `Name <a@example.com>` or `"Name, with a comma" <a@example.com>`. */
const NAMED = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^<>"]*?))\s*<\s*([^<>\s]+)\s*>\s*$/;

const addressObject = z.object({ email: z.string(), name: z.optional(z.nullable(z.string())) });

/**
 * The addresses in what a person or a program typed: a JSON string `{"email":"…","name":"…"}` or a JSON array of these,
 * a map or a list of maps, or plain `a@example.com` or `Name <a@example.com>`, several of them separated by commas.
 *
 * @throws Error that quotes what is no address.
 */
export function parseAddresses(value: unknown): Address[] {
  if (value === undefined || value === null || value === '') return [];
  if (value instanceof Set) return parseAddresses([...value]);
  if (Array.isArray(value)) return value.flatMap(parseAddresses);
  if (typeof value === 'string') return parseText(value);
  const parsed = addressObject.safeParse(value);
  if (!parsed.success) throw new Error(`Cannot read ${quote(value)} as an address: it has no email`);
  return [address(parsed.data.email, parsed.data.name ?? '')];
}

/** Like parseAddresses, but what is no address is left out: for rows that other programs wrote. */
export function readAddresses(value: unknown): Address[] {
  try {
    return parseAddresses(value);
  } catch {
    return [];
  }
}

function parseText(text: string): Address[] {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  if (trimmed.startsWith('{') || trimmed.startsWith('[')) return parseAddresses(parseJson(trimmed));
  return splitAtCommas(trimmed).map((part) => {
    const named = NAMED.exec(part);
    if (!named) return address(part, '');
    return address(named[3] ?? '', named[1]?.replace(/\\(.)/g, '$1') ?? named[2] ?? '');
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`Cannot read ${quote(text)} as an address: it starts like JSON and is none`, { cause });
  }
}

/** Commas inside quotation marks or angle brackets separate nothing. */
function splitAtCommas(text: string): string[] {
  const parts = text.match(/(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,])+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function address(email: string, name: string): Address {
  const trimmedEmail = email.trim();
  if (!EMAIL.test(trimmedEmail) || trimmedEmail.length > 254) {
    throw new Error(`Cannot use ${quote(email)}: it is not an e-mail address`);
  }
  // A line break in a name would end the header that it is written into.
  const trimmedName = name.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return trimmedName === '' ? { email: trimmedEmail } : { email: trimmedEmail, name: trimmedName };
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/**
 * The address in the form in which it is compared and looked up. Case does not matter, as with every receiver of note
 * (RFC 5321, 2.4, lets it), and nor do the quotation marks of a quoted local part.
 */
export function mailboxKey(email: string): string {
  return email.toLowerCase().replace(/^"(.*)"@/, (_, local: string) => `${local.replace(/\\(.)/g, '$1')}@`);
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

/** The form that log rows keep: a JSON string of one address, as in `{"email":"a@example.com","name":"A"}`. */
export function addressToJson(value: Address): string {
  return JSON.stringify(value);
}

/** The form that log rows keep: a JSON string of an array of addresses. */
export function addressesToJson(values: readonly Address[]): string {
  return JSON.stringify(values);
}
