/**
 * Reads the reply of a receiving server: its codes, what they mean, and what its text means.
 *
 * Sources: RFC 5321 and RFC 7504 (reply codes), RFC 3463 and its IANA registry (enhanced status codes).
 */
import { phraseFinder } from './phrases.ts';
import { COMMON_PHRASES, KNOWN_TEXTS } from './reply-texts.ts';
import { hard, lookUp, soft, undetermined, type Verdict } from './verdict.ts';

/** Codes that a reply text carries, such as `550 5.1.1 User unknown`. */
export interface ReplyCodes {
  /** RFC 5321, 4.2: three digits. */
  readonly smtpCode: string | undefined;
  /** RFC 3463: class.subject.detail. */
  readonly enhancedStatusCode: string | undefined;
}

/** A reply as evidence. A part that says nothing is undefined. */
export interface Reply {
  readonly codes: ReplyCodes;
  /** By a code of class 4, or a code that names the problem. */
  readonly specific: Verdict | undefined;
  /** By a text that a well-known receiver writes. */
  readonly text: Verdict | undefined;
  /** By a code that names only the area of the problem. */
  readonly generic: Verdict | undefined;
  /** By a phrase that many servers use. */
  readonly phrase: Verdict | undefined;
}

/** A reply may be long. Its codes are at its start. */
const REPLY_HEAD_LENGTH = 512;

const findText = phraseFinder([...KNOWN_TEXTS, ...COMMON_PHRASES].map(({ phrases }) => phrases));

/** @param status the provider's own field for the code, if it has one (`5.1.1`, sometimes `550`) */
export function readReply(reply: string, status = ''): Reply {
  const head = withoutAddresses(reply.slice(0, REPLY_HEAD_LENGTH));
  const codes = codesIn(head, status);
  const found = findText(head);
  return {
    codes,
    specific: specificVerdict(codes),
    text: besideCode(codes, KNOWN_TEXTS[found]?.verdict),
    generic: genericVerdict(codes),
    phrase: besideCode(codes, COMMON_PHRASES[found - KNOWN_TEXTS.length]?.verdict),
  };
}

/**
 * What the text says, given the code. 5.1.0 names the recipient's address as the problem. If the text says soft, one of
 * the two is wrong, and the class is undetermined.
 */
function besideCode({ enhancedStatusCode }: ReplyCodes, text: Verdict | undefined): Verdict | undefined {
  return enhancedStatusCode === '5.1.0' && text?.bounceClass === 'soft' ? undetermined(text.cause) : text;
}

/**
 * An SMTP code at the start of a reply, or before an enhanced status code. Elsewhere three digits may be any number. A
 * colon before a code needs a space after it, and 465 and 587 are not codes, because `mx.example.com:587` is a port.
 */
const SMTP_CODE =
  /(?:^|[;('"[]|<<<|(?<!\bport): |(?:\b(?:RCPT TO|MAIL FROM|DATA)|CODE) ?:|\bResponseCode )\s*(?!465|587)([245]\d\d)(?=[ :,\-\]'")]|$)|[^\d.]([245]\d\d)[ -]+[#(]?(?=[245]\.\d)/;
/**
 * An enhanced status code at the start, after an SMTP code, an address, a `#`, a colon, a semicolon or a quotation
 * mark, or in parentheses at the end. Elsewhere `5.1.1` may be a version or a part of an IP address.
 */
const ENHANCED_STATUS_CODE =
  /(?:^\s*\(?|#|@[>)]?:?\s+|['";]\s*|(?<!\bversion) ?:\s*|(?:^|\D)[245]\d\d[ -]+[(#'"]?|\((?=[\d.]*\)[.\s]*$))([245]\.\d{1,3}\.\d{1,3})(?![\w@]|[.-]\w)/i;

/** The codes in a reply and in the provider's status field. */
function codesIn(head: string, status: string): ReplyCodes {
  const [, atStart, beforeEnhanced] = SMTP_CODE.exec(head) ?? [];
  const inStatus = /^[245]\.\d{1,3}\.\d{1,3}$/.test(status) ? status : undefined;
  return {
    smtpCode: atStart ?? beforeEnhanced ?? /^[245]\d\d$/.exec(status)?.[0],
    // `5.0.0` says only that the message failed.
    enhancedStatusCode:
      inStatus === undefined || inStatus.endsWith('.0.0')
        ? (ENHANCED_STATUS_CODE.exec(head)?.[1] ?? inStatus)
        : inStatus,
  };
}

/** Replaces each address by `@`. Its parts may look like codes or phrases: `user-unknown.5.1.1@example.com`. */
function withoutAddresses(text: string): string {
  let from = 0;
  let kept = '';
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', from)) {
    // A quoted local part may hold anything: `"550 5.1.1"@example.com`.
    const quote = text.charAt(at - 1) === '"' ? text.lastIndexOf('"', at - 2) : -1;
    let start = quote >= from ? quote : at;
    while (start > from && !NO_ADDRESS.test(text.charAt(start - 1))) start -= 1;
    kept += `${text.slice(from, start)}@`;
    from = at + 1;
    while (from < text.length && !NO_ADDRESS.test(text.charAt(from))) from += 1;
  }
  return kept + text.slice(from);
}
/** A character that ends an address without quotation marks. */
const NO_ADDRESS = /[\s<>()[\]:;,"']/;

/** Codes that name the problem, of class 5 (RFC 3463, 3.2 and 3.3; RFC 7505 for 5.1.10). */
export const SPECIFIC_CODES: Readonly<Record<string, Verdict>> = {
  '5.1.1': hard('address-unknown'), // bad destination mailbox address
  '5.1.2': hard('domain-unknown'), // bad destination system address
  '5.1.3': hard('address-unknown'), // bad destination mailbox address syntax
  '5.1.6': hard('address-unknown'), // destination mailbox has moved
  '5.1.7': soft('policy'), // bad sender's mailbox address syntax
  '5.1.8': soft('policy'), // bad sender's system address
  '5.1.10': hard('domain-unknown'), // recipient address has null MX
  '5.2.2': soft('mailbox-full'), // mailbox full
  '5.2.3': soft('too-large'), // message length exceeds limit
};

/** Codes of class 4 that name the problem. */
const TEMPORARY_CODES: Readonly<Record<string, Verdict>> = {
  '4.2.2': soft('mailbox-full'),
  '4.2.3': soft('too-large'),
};
const TEMPORARY = soft('temporary');

/**
 * The first digit decides if it is 4, because a server that replies 4yz or 4.x.x may accept the next mail (RFC 5321,
 * 4.2.1). Otherwise a code that names the problem decides.
 */
function specificVerdict({ smtpCode = '', enhancedStatusCode = '' }: ReplyCodes): Verdict | undefined {
  if (enhancedStatusCode.startsWith('4')) return lookUp(TEMPORARY_CODES, enhancedStatusCode) ?? TEMPORARY;
  if (smtpCode.startsWith('4')) return TEMPORARY;
  return lookUp(SPECIFIC_CODES, enhancedStatusCode);
}

/**
 * Codes of class 5 that name only the area of the problem (RFC 3463, 3.2 to 3.8). Servers use them for many problems.
 */
export const GENERIC_CODES: Readonly<Record<string, Verdict>> = {
  '5.1.0': undetermined('unknown'), // other address status; used for refused senders too
  '5.1.4': undetermined('address-unknown'), // destination mailbox address ambiguous
  '5.2.0': undetermined('unknown'), // other mailbox status
  '5.2.1': hard('mailbox-disabled'), // mailbox disabled
  '5.2.4': undetermined('unknown'), // mailing list expansion problem
  '5.3.4': soft('too-large'), // message too big for system
  '5.4.1': undetermined('unknown'), // no answer from host; Exchange Online's word for an unknown recipient
  '5.4.4': hard('domain-unknown'), // unable to route
  '5.5.0': undetermined('unknown'), // other protocol status
  '5.5.1': soft('invalid-mail'), // invalid command
  '5.5.2': soft('invalid-mail'), // syntax error
  '5.5.3': soft('rate-limited'), // too many recipients
  '5.5.4': soft('invalid-mail'), // invalid command arguments
  '5.7.13': undetermined('mailbox-disabled'), // user account disabled
  '5.7.20': soft('authentication'), // no passing DKIM signature found
  '5.7.23': soft('authentication'), // SPF validation failed
  '5.7.25': soft('authentication'), // reverse DNS validation failed
  '5.7.26': soft('authentication'), // multiple authentication checks failed
};

/** By the second part of the code: a system, the network, the content, a policy. The address may be valid. */
export const GENERIC_SUBJECTS: Readonly<Record<string, Verdict>> = {
  '3': soft('temporary'),
  '4': soft('temporary'),
  '6': soft('invalid-mail'),
  '7': soft('policy'),
};

/** SMTP codes, if there is no enhanced code. RFC 5321, 4.2.3; RFC 4954 (530, 535); RFC 7504 (521, 556). */
export const SMTP_CODES: Readonly<Record<string, Verdict>> = {
  '500': soft('invalid-mail'), // syntax error
  '502': soft('invalid-mail'), // command not implemented
  '503': soft('invalid-mail'), // bad sequence of commands
  '504': soft('invalid-mail'), // command parameter not implemented
  '521': hard('domain-unknown'), // host does not accept mail
  '530': soft('policy'), // authentication required
  '535': soft('policy'), // authentication credentials invalid
  '551': hard('address-unknown'), // user not local
  '552': soft('mailbox-full'), // exceeded storage allocation
  '556': hard('domain-unknown'), // domain does not accept mail
};

function genericVerdict({ smtpCode = '', enhancedStatusCode = '' }: ReplyCodes): Verdict | undefined {
  // RFC 7504, 3: 5.3.2 accompanies 521. Alone it says that the system accepts no mail at present.
  const isAlone =
    enhancedStatusCode === '' ||
    enhancedStatusCode.endsWith('.0.0') ||
    `${smtpCode} ${enhancedStatusCode}` === '521 5.3.2';
  if (isAlone) return lookUp(SMTP_CODES, smtpCode);
  return lookUp(GENERIC_CODES, enhancedStatusCode) ?? lookUp(GENERIC_SUBJECTS, enhancedStatusCode.charAt(2));
}
