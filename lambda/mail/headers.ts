/** Reads and checks the headers that an item of the Mail table adds to its message. */

/** Names and values as they go out: printable ASCII, other characters as encoded words (RFC 2047). */
export type Headers = Readonly<Record<string, string>>;

/** Todoke's own limits. Receiving servers limit the size of the header section: Postfix to 100 KB, for example. */
const MAX_HEADERS = 30;
const MAX_CHARACTERS = 10_000;
/** RFC 5322, 2.1.1: a line has at most 998 characters. It can be folded only at a space. */
const MAX_NAME_CHARACTERS = 76;
const MAX_WORD_CHARACTERS = 900;

/** RFC 5322, 2.2: printable ASCII except the colon. Every registered name begins with a letter. */
const NAME = /^[A-Za-z][!-9;-~]*$/;

/** Headers that have an attribute of their own. */
const ATTRIBUTE_OF: ReadonlyMap<string, string> = new Map([
  ['from', 'from'],
  ['to', 'to'],
  ['cc', 'cc'],
  ['bcc', 'bcc'],
  ['reply-to', 'replyTo'],
  ['subject', 'subject'],
]);
/** Headers that Todoke, the provider or a server on the way sets. SendGrid's are those of its reference, "Mail Send". */
const RESERVED = new Set([
  'date',
  'message-id',
  'sender',
  'return-path',
  'received',
  'mime-version',
  'dkim-signature',
  'x-api-data',
  'x-sg-id',
  'x-sg-eid',
  'x-smtpapi',
]);

/**
 * Reads the attribute `headers`: a map, or a JSON object as text.
 *
 * @returns the headers, and what to correct in them, in sentences without a full stop
 */
export function readHeaders(value: unknown): { readonly headers: Headers; readonly problems: readonly string[] } {
  const entries = entriesOf(value);
  if (entries === undefined) {
    return { headers: {}, problems: ['headers is not a map of names and values, or a JSON object as text'] };
  }
  // Checked first, because an item may have a hundred thousand headers.
  if (entries.length > MAX_HEADERS) {
    return { headers: {}, problems: [`headers has ${entries.length} headers, at most ${MAX_HEADERS} are allowed`] };
  }
  const read = entries.map(([name, given]) => ({ name, ...readHeader(name, given) }));
  const headers = Object.fromEntries(read.map(({ name, text }) => [name, text]));
  const names = read.map(({ name }) => name.toLowerCase());
  const characters = read.reduce((sum, { name, text }) => sum + name.length + text.length, 0);
  const problems = [
    ...read.flatMap(({ name, problem }) => (problem === undefined ? [] : [`headers: ${quoted(name)} ${problem}`])),
    ...read.flatMap(({ name }, index) =>
      names.indexOf(name.toLowerCase()) < index ? [`headers: ${quoted(name)} occurs twice`] : [],
    ),
    ...(characters > MAX_CHARACTERS
      ? [`headers has ${characters} characters, at most ${MAX_CHARACTERS} are allowed`]
      : []),
  ];
  return { headers, problems };
}

function entriesOf(value: unknown): [string, unknown][] | undefined {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'string') return isMap(value) ? Object.entries(value) : undefined;
  if (value.trim() === '') return [];
  try {
    const parsed: unknown = JSON.parse(value);
    return isMap(parsed) ? Object.entries(parsed) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value is a map: no list, set or binary. */
const isMap = (value: unknown): value is object => Object.prototype.toString.call(value) === '[object Object]';

function readHeader(name: string, value: unknown): { readonly text: string; readonly problem?: string } {
  const attribute = ATTRIBUTE_OF.get(name.toLowerCase());
  if (attribute !== undefined) return { text: '', problem: `has an attribute of its own: use ${attribute}` };
  if (RESERVED.has(name.toLowerCase()) || /^content-/i.test(name)) {
    return { text: '', problem: 'is set by Todoke or the provider: remove it' };
  }
  // SendGrid's library leaves out headers that are named like a member of every object, such as `constructor`.
  if (!NAME.test(name) || name in {}) return { text: '', problem: 'is not the name of a header' };
  if (name.length > MAX_NAME_CHARACTERS) {
    return { text: '', problem: `is too long: a name has at most ${MAX_NAME_CHARACTERS} characters` };
  }
  if (!['string', 'number', 'bigint', 'boolean'].includes(typeof value)) return { text: '', problem: 'is not text' };
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return { text: '', problem: 'is too long a number: put it into quotation marks' };
  }
  const text = String(value);
  if (/\p{Cc}/u.test(text)) return { text: '', problem: 'has a line break, or another control character' };
  if (text.length > MAX_CHARACTERS) {
    return {
      text: '',
      problem: `has ${text.length} characters, at most ${MAX_CHARACTERS} are allowed for all headers`,
    };
  }
  // Folding inside a run of spaces could make a line of spaces only, which RFC 5322, 3.2.2, forbids.
  const spaced = text.trim().replace(/ {2,}/g, ' ');
  if (spaced === '') return { text: '', problem: 'has no value' };
  if (/^list-/i.test(name) && !isAscii(spaced)) {
    return { text: '', problem: 'has a character that is not ASCII: encode it as in a URL' };
  }
  const encoded = isAscii(spaced) ? spaced : encodedWords(spaced);
  const longest = Math.max(...encoded.split(' ').map((word) => word.length));
  if (longest > MAX_WORD_CHARACTERS) {
    return {
      text: '',
      problem: `has ${longest} characters without a space, at most ${MAX_WORD_CHARACTERS} are allowed`,
    };
  }
  return { text: encoded };
}

const isAscii = (text: string): boolean => /^[ -~]*$/.test(text);

/** Without Buffer, because this also runs in the console's page. */
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/**
 * RFC 2047, 2: an encoded word has at most 75 characters. 45 bytes are 60 characters in base64, and its frame has 12.
 */
const BYTES_OF_WORD = 45;

/** A text as encoded words. The spaces between them are not part of the value (RFC 2047, 6.2). */
function encodedWords(text: string): string {
  const parts = [''];
  for (const character of text.toWellFormed()) {
    const longer = `${parts.at(-1)}${character}`;
    if (utf8(longer).length > BYTES_OF_WORD) parts.push(character);
    else parts[parts.length - 1] = longer;
  }
  return parts.map((part) => `=?UTF-8?B?${btoa(String.fromCharCode(...utf8(part)))}?=`).join(' ');
}

function quoted(name: string): string {
  const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  return NAME.test(shown) ? shown : JSON.stringify(shown);
}
