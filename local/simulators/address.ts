/** Checks addresses as the providers do. */
const ATOM = /[\w!#$%&'*+/=?^`{|}~-]+/.source;
const QUOTED = /"(?:[ !#-[\]-~]|\\[ -~])*"/.source;
const LABEL = /[^\s"(),.:;<>@[\\\]]+/.source;
const MAILBOX = new RegExp(`^(?:${ATOM}(?:\\.${ATOM})*|${QUOTED})@${LABEL}(?:\\.${LABEL})*$`);
/** A path is at most 256 bytes with its angle brackets (RFC 5321, 4.5.3.1.3). */
const MAX_CHARS = 254;

/**
 * Whether `address` is a mailbox of RFC 5321 with a domain name. Like SendGrid, this accepts `"a..b"@example.jp`, and refuses
 * `a..b@example.jp`, which Japanese carriers used to assign, and addresses at `[192.0.2.1]`
 * (https://support.sendgrid.kke.co.jp/hc/ja/articles/360000019762).
 */
export function isMailbox(address: string): boolean {
  return address.length <= MAX_CHARS && MAILBOX.test(address);
}
