/** Turns the text that a person searches for into keys of the tables. */
import { domainToASCII, domainToUnicode } from 'node:url';
import { mailboxKey, readAddresses } from '../mail/address.ts';
import { customersMailCloudMessageId, sendGridMessageId } from '../mail/message-id.ts';

/** The keys that a text may stand for. */
export interface Lookup {
  /** The text as a mailbox, in the form of mailboxKey; undefined if it is none. */
  readonly email: string | undefined;
  /** Message ids under which the mail may be logged, the likeliest first. */
  readonly messageIds: readonly string[];
  /** The id of an item of the Mail table. */
  readonly mailId: string;
  /**
   * Whether the text is more likely a message id than an address. A Message-ID looks like an address in angle brackets.
   */
  readonly idFirst: boolean;
}

/** Reads an address (with or without a name), a message id of either provider, or an item's id. */
export function readLookup(text: string): Lookup {
  const trimmed = text.trim();
  const [address] = readAddresses(trimmed);
  const id = customersMailCloudMessageId(trimmed);
  const bare = id.replace(/^<(.*)>$/, '$1');
  const messageIds = bare.includes('@')
    ? [id, `<${bare}>`, bare, `<${bare.toLowerCase()}>`]
    : [id, sendGridMessageId(id)];
  return {
    email: address && mailboxKey(address.email),
    messageIds: [...new Set(messageIds)].filter((messageId) => messageId !== ''),
    mailId: trimmed,
    idFirst: /^</.test(id),
  };
}

/**
 * Every form in which rows may have a mailbox: its key, and the key with both forms of an internationalized domain (RFC
 * 5890: A-labels and U-labels).
 */
export function mailboxKeys(email: string): string[] {
  const key = mailboxKey(email);
  const at = key.lastIndexOf('@') + 1;
  const [local, domain] = [key.slice(0, at), key.slice(at)];
  const forms = [domainToASCII(domain), domainToUnicode(domain)].filter((form) => form !== '');
  return [...new Set([key, ...forms.map((form) => local + form)])];
}
