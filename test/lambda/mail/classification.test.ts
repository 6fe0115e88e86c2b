import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classifyRefusal, weigh } from '../../../lambda/mail/classification.ts';
import { GENERIC_CODES, readReply, SMTP_CODES, SPECIFIC_CODES } from '../../../lambda/mail/reply.ts';
import type { BounceClass, Cause, Outcome } from '../../../lambda/mail/verdict.ts';
import {
  CUSTOMERS_MAIL_CLOUD_STATUSES,
  classifyCustomersMailCloud,
} from '../../../lambda/providers/customers-mail-cloud/classification.ts';
import {
  classifySendGrid,
  SENDGRID_BOUNCE_CLASSIFICATIONS,
  SENDGRID_BOUNCE_TYPES,
  SENDGRID_DROP_REASONS,
  type SendGridFailure,
} from '../../../lambda/providers/sendgrid/classification.ts';
import { anyText, holdsForAll } from './property.ts';

const GMAIL_NO_SUCH_USER =
  "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550-5.1.1 double-checking the recipient's email address for typos or\n550 5.1.1 https://support.google.com/mail/?p=NoSuchUser";

describe('the codes of a reply', () => {
  test.each<[reply: string, status: string, smtpCode: string | undefined, enhancedStatusCode: string | undefined]>([
    ['550 5.1.1 User unknown', '', '550', '5.1.1'],
    ['550 User unknown', '', '550', undefined],
    ['550', '', '550', undefined],
    ['550 User unknown', '5.1.1', '550', '5.1.1'],
    [GMAIL_NO_SUCH_USER, '', '550', '5.1.1'],
    ['421 4.7.0 Try again later, closing connection. (in reply to RCPT TO)', '', '421', '4.7.0'],
    ['550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found', '', '550', '5.1.10'],
    ['smtp;550 5.2.1 The account is disabled', '', '550', '5.2.1'],
    ['<user@example.com>: host mx.example.com[192.0.2.1] said: 550 5.1.1 unknown', '', '550', '5.1.1'],
    ['250 2.0.0 OK 1461095248 m143si2210036ioe.159 - gsmtp ', '', '250', '2.0.0'],
    ['550 Requested action not taken (5.7.1).', '', '550', '5.7.1'],
    ['554 5.7.1 Client host [5.1.1.1] blocked using bl.example.net', '', '554', '5.7.1'],
    ['554 Client host [5.1.1.1] blocked', '', '554', undefined],
    ['host unknown', '', undefined, undefined],
    ['', '', undefined, undefined],
    ['', '5.1.1', undefined, '5.1.1'],
    ['', '550', '550', undefined],
    ['', '9.9.9', undefined, undefined],
    ['', 'unknown', undefined, undefined],
    ['Bounced Address', '5.0.0', undefined, '5.0.0'],
    ['host mx.example.com said: 550 no such user', '', '550', undefined],
    ['host mx.example.com answered 550 5.1.1 unknown', '', '550', '5.1.1'],
    ['host mx.example.com answered 550-5.1.1 unknown', '', '550', '5.1.1'],
    ['message 1550 5.1.1 was refused', '', undefined, undefined],
    ['571 Delivery not authorized, message refused', '', '571', undefined],
    ['connect to mx.example.com:550: refused', '', undefined, undefined],
    ['mx.example.com: 587 is closed', '', undefined, undefined],
    ['Exim 4.4.7 refused it', '', undefined, undefined],
    ['did not like our RCPT TO:550 5.1.1 <a@example.jp>: unknown', '', '550', '5.1.1'],
    ['Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 unknown', '', '550', '5.1.1'],
    ["Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound'", '', '550', '5.1.10'],
    ['550 sorry, no mailbox here by that name (#5.1.1 - chkusr)', '', '550', '5.1.1'],
    ['[550 5.1.1 User unknown]', '', '550', '5.1.1'],
    ['550 <5.2.2@example.com>: unknown', '', '550', undefined],
    ['5.2.2@example.com is not known', '', undefined, undefined],
    ['"5.2.2"@example.com is not known', '', undefined, undefined],
    ['550 <a@example.com> 5.1.1 unknown', '', '550', '5.1.1'],
    ['550 "@example.com is not known', '', '550', undefined],
    ['5.1.1 User unknown', '', undefined, '5.1.1'],
    ['550 5.123.456 Of a subject not yet registered', '', '550', '5.123.456'],
    ['550 5.1.1234 is no code', '', '550', undefined],
    ['', '5.123.456', undefined, '5.123.456'],
    ['550 5.2.2 Mailbox full', '5.1.1', '550', '5.1.1'],
    ['550 5.1.1 User unknown', '5.0.0', '550', '5.1.1'],
    ['', 'x5.1.1', undefined, undefined],
    ['', '5.1.1x', undefined, undefined],
    ['', '1550', undefined, undefined],
    ['', '5501', undefined, undefined],
    ['Message 1550 was refused', '', undefined, undefined],
    ['IPs were throttled, seen 4.7.0.1', '', undefined, undefined],
    // Servers put spaces, brackets and quotation marks around codes.
    ['answer to RCPT TO:550 no such user', '', '550', undefined],
    ['answer to RCPT TO :550 no such user', '', '550', undefined],
    ['host answered 550  (5.1.1) unknown', '', '550', '5.1.1'],
    ['host answered 550 - #5.1.1 unknown', '', '550', '5.1.1'],
    ['550 "5.1.1" unknown', '', '550', '5.1.1'],
    ['   (5.1.1) unknown', '', undefined, '5.1.1'],
    ['<a@example.com>:  5.1.1 unknown', '', undefined, '5.1.1'],
    ['<a@example.com> 5.1.1 unknown', '', undefined, '5.1.1'],
    ['refused for a@example.com 5.1.1 unknown', '', undefined, '5.1.1'],
    ['refused:5.1.1 unknown', '', undefined, '5.1.1'],
    ['refused : 5.1.1 unknown', '', undefined, '5.1.1'],
    ['refused;5.1.1 unknown', '', undefined, '5.1.1'],
    ["refused '5.1.1 unknown'", '', undefined, '5.1.1'],
    ["refused ';  5.1.1 unknown'", '', undefined, '5.1.1'],
    ['refused ;x5.1.1 unknown', '', undefined, undefined],
    ['refused :x5.1.1 unknown', '', undefined, undefined],
    ['x5.1.1 unknown', '', undefined, undefined],
    ['Not accepted (5.1.1). ', '', undefined, '5.1.1'],
    ['Not accepted (5.1.1)x', '', undefined, undefined],
    ['Server (5.1.1) did not accept it', '', undefined, undefined],
  ])('%j with status %j', (reply, status, smtpCode, enhancedStatusCode) => {
    expect(readReply(reply, status).codes).toEqual({ smtpCode, enhancedStatusCode });
  });

  test('are searched for only at the start of a reply', () => {
    const { smtpCode, enhancedStatusCode } = readReply(`${'x'.repeat(100_000)} 550 5.1.1`, '').codes;
    expect([smtpCode, enhancedStatusCode]).toEqual([undefined, undefined]);
  });

  test('are valid codes or undefined, for any text', () => {
    holdsForAll(fc.tuple(anyText, anyText), ([reply, status]) => {
      const { smtpCode = '250', enhancedStatusCode = '2.0.0' } = readReply(reply, status).codes;
      expect(smtpCode).toMatch(/^[245]\d\d$/);
      expect(enhancedStatusCode).toMatch(/^[245]\.\d{1,3}\.\d{1,3}$/);
    });
  });
});

describe('the class that the codes of a reply give', () => {
  test.each<[codes: string, BounceClass, Cause]>([
    // RFC 3463: class 4 is a persistent transient failure, regardless of the subject. RFC 5321: so is 4yz.
    ['550 4.1.1', 'soft', 'temporary'],
    ['452 4.2.2', 'soft', 'mailbox-full'],
    ['552 4.2.3', 'soft', 'too-large'],
    ['4.4.1', 'soft', 'temporary'],
    ['450 5.1.1', 'soft', 'temporary'],
    ['450', 'soft', 'temporary'],
    ['421', 'soft', 'temporary'],
    // Specific codes.
    ['550 5.1.1', 'hard', 'address-unknown'],
    ['550 5.1.2', 'hard', 'domain-unknown'],
    ['553 5.1.3', 'hard', 'address-unknown'],
    ['551 5.1.6', 'hard', 'address-unknown'],
    ['553 5.1.7', 'soft', 'policy'],
    ['553 5.1.8', 'soft', 'policy'],
    ['556 5.1.10', 'hard', 'domain-unknown'],
    ['552 5.2.2', 'soft', 'mailbox-full'],
    ['552 5.2.3', 'soft', 'too-large'],
    // Generic codes.
    ['550 5.1.0', 'undetermined', 'unknown'],
    ['550 5.1.4', 'undetermined', 'address-unknown'],
    ['550 5.2.0', 'undetermined', 'unknown'],
    ['550 5.2.1', 'hard', 'mailbox-disabled'],
    ['550 5.2.4', 'undetermined', 'unknown'],
    ['554 5.3.0', 'soft', 'temporary'],
    ['552 5.3.4', 'soft', 'too-large'],
    ['550 5.4.1', 'undetermined', 'unknown'],
    ['550 5.4.4', 'hard', 'domain-unknown'],
    ['554 5.4.7', 'soft', 'temporary'],
    ['550 5.5.0', 'undetermined', 'unknown'],
    ['554 5.5.1', 'soft', 'invalid-mail'],
    ['554 5.5.3', 'soft', 'rate-limited'],
    ['554 5.6.0', 'soft', 'invalid-mail'],
    ['550 5.7.1', 'soft', 'policy'],
    ['525 5.7.13', 'undetermined', 'mailbox-disabled'],
    ['550 5.7.26', 'soft', 'authentication'],
    ['550 5.9.9', 'undetermined', 'unknown'],
    // Without an enhanced code, or with one that is not specific.
    ['551', 'hard', 'address-unknown'],
    ['552', 'soft', 'mailbox-full'],
    ['552 5.0.0', 'soft', 'mailbox-full'],
    ['521', 'hard', 'domain-unknown'],
    ['521 5.3.2', 'hard', 'domain-unknown'],
    ['554 5.3.2', 'soft', 'temporary'],
    ['556', 'hard', 'domain-unknown'],
    ['530', 'soft', 'policy'],
    ['503', 'soft', 'invalid-mail'],
    ['550', 'undetermined', 'unknown'],
    ['550 5.0.0', 'undetermined', 'unknown'],
    ['', 'undetermined', 'unknown'],
  ])('%j: %s, %s', (codes, bounceClass, cause) => {
    expect(weigh(readReply(codes))).toEqual({ bounceClass, cause });
  });
});

describe('which evidence takes precedence', () => {
  test.each<[what: string, reply: string, BounceClass, Cause]>([
    ['a specific code before the text', '550 5.2.2 User unknown', 'soft', 'mailbox-full'],
    [
      'a text that is soft before a specific code that is hard',
      '550 5.1.1 Too many messages this hour',
      'soft',
      'rate-limited',
    ],
    ['a text before a generic code', '550 5.7.1 User unknown', 'hard', 'address-unknown'],
    ['a generic code before a phrase', '550 5.2.1 Access denied', 'hard', 'mailbox-disabled'],
    ['a phrase, if there is no other evidence', '550 Access denied', 'soft', 'policy'],
    ['the first of two texts', '550 No such user, blocked using bl.example.net', 'soft', 'blocklisted'],
    ['the cause of the text if the code has none', '554 5.7.1 blocked using bl.example.net', 'soft', 'blocklisted'],
    ['the cause of the text for a temporary failure', '450 4.1.1 User unknown', 'soft', 'address-unknown'],
    ['no soft cause for a hard bounce', '550 5.1.1 policy', 'hard', 'address-unknown'],
    ['neither 5.1.0 nor a text that contradicts it', '550 5.1.0 Sender denied', 'undetermined', 'policy'],
    ['a text that agrees with 5.1.0', '550 #5.1.0 Address rejected user@example.jp', 'hard', 'address-unknown'],
  ])('%s', (_, reply, bounceClass, cause) => {
    expect(weigh(readReply(reply))).toEqual({ bounceClass, cause });
  });

  test('a refusal at the handover is classified by its reply', () => {
    expect(classifyRefusal('550 5.1.1 User unknown')).toEqual({
      outcome: 'failed',
      bounceClass: 'hard',
      cause: 'address-unknown',
      smtpCode: '550',
      enhancedStatusCode: '5.1.1',
    });
  });
});

/** Texts with digits that look like codes. */
const lookalikes = fc.constantFrom(
  '<5.1.1@example.com>',
  '"5.1.1"@example.jp',
  '<"550 5.1.1"@example.jp>',
  'user-unknown.5.1.1@mail.example.com',
  '<mailbox-full+4.2.2@example.jp>',
  '[4.2.2.1]',
  '5.1.1.7',
  '[192.0.2.55]:551',
  'mx.example.com:552',
  'mx.5.1.1.example.com',
  'ESMTP Exim 4.2.2',
  'Postfix-5.1.1',
  '(qmail v4.2.2)',
  'sendmail/5.1.2',
  'port 551',
  '2001:db8:0:550::1',
);

test('no code is read from an address, a version number, an IP address or a port', () => {
  const replies = fc.constantFrom(
    ...[...Object.keys(SPECIFIC_CODES), ...Object.keys(GENERIC_CODES)].map((code) => `550 ${code} it was refused`),
    ...Object.keys(SMTP_CODES).map((code) => `${code} it was refused`),
    '550 it was refused',
    '450 it was refused',
    'host mx.example.com[192.0.2.1] said: 550 it was refused (in reply to RCPT TO command)',
  );
  const inserted = fc.tuple(replies, lookalikes, fc.nat()).map(([reply, lookalike, position]) => {
    // Inserted between two words after the codes, so that the codes stay next to each other.
    const words = reply.split(' ');
    const at = words.indexOf('it') + (position % (words.length - words.indexOf('it') + 1));
    return { reply, longer: [...words.slice(0, at), lookalike, ...words.slice(at)].join(' ') };
  });
  holdsForAll(
    inserted,
    ({ reply, longer }) => {
      expect(readReply(longer).codes).toEqual(readReply(reply).codes);
      expect(weigh(readReply(longer))).toEqual(weigh(readReply(reply)));
    },
    2_000,
  );
});

describe('SendGrid', () => {
  const failure = (fields: Partial<SendGridFailure>): SendGridFailure => ({
    event: 'bounce',
    type: '',
    status: '',
    bounceClassification: '',
    reason: '',
    ...fields,
  });

  describe('a bounce', () => {
    test.each<[what: string, Partial<SendGridFailure>, BounceClass]>([
      // The type `blocked` is always soft: only `bounce` adds the address to the suppression list.
      ['blocked by a policy', { type: 'blocked', status: '5.7.1', reason: '554 5.7.1 blocked' }, 'soft'],
      ['blocked, as documented', { type: 'blocked', status: '5.0.0', reason: '500 unknown recipient' }, 'soft'],
      ['blocked though unknown', { type: 'blocked', status: '5.1.1', reason: '550 5.1.1 User unknown' }, 'soft'],
      ['blocked with an invalid address', { type: 'blocked', bounceClassification: 'Invalid Address' }, 'soft'],
      ['blocked in upper and lower case', { type: 'Blocked' }, 'soft'],
      ['blocked by a full mailbox', { type: 'blocked', status: '5.2.2', reason: '552 5.2.2 over quota' }, 'soft'],
      ['expired', { type: 'expired', reason: 'unable to get mx info' }, 'soft'],
      // The codes decide next.
      ['of an unknown user', { type: 'bounce', status: '5.1.1', reason: '550 5.1.1 User unknown' }, 'hard'],
      ['of an unknown user by the reply alone', { type: 'bounce', reason: '550 5.1.1 User unknown' }, 'hard'],
      ['of an unknown user by the status alone', { type: 'bounce', status: '5.1.10' }, 'hard'],
      ['of an unknown user without a type', { status: '5.1.1', reason: '550 5.1.1 User unknown' }, 'hard'],
      ['of a full mailbox', { type: 'bounce', status: '5.2.2', reason: '552 5.2.2 Mailbox full' }, 'soft'],
      ['by a policy', { type: 'bounce', status: '5.7.1', reason: '550 5.7.1 Rejected by policy' }, 'soft'],
      ['that may pass', { type: 'bounce', status: '4.2.2', reason: '452 4.2.2 over quota' }, 'soft'],
      ['that is temporary, by its SMTP code', { type: 'bounce', reason: '450 try later' }, 'soft'],
      ['whose codes contradict its class', { status: '5.1.1', bounceClassification: 'Reputation' }, 'hard'],
      ['of a generic code with a class', { status: '5.4.1', bounceClassification: 'Invalid Address' }, 'hard'],
      [
        'of a generic code with a class, the other way',
        { status: '5.2.1', bounceClassification: 'Reputation' },
        'soft',
      ],
      [
        'whose codes contradict its class, the other way',
        { status: '4.1.1', bounceClassification: 'Invalid Address' },
        'soft',
      ],
      // Then the classification.
      ['classified as Invalid Address', { type: 'bounce', bounceClassification: 'Invalid Address' }, 'hard'],
      [
        'classified as Invalid Address, without a type',
        { status: '5.0.0', bounceClassification: 'Invalid Address' },
        'hard',
      ],
      ['classified as Technical', { bounceClassification: 'Technical' }, 'soft'],
      ['classified as technical', { bounceClassification: 'technical' }, 'soft'],
      ['classified as Technical Failure', { type: 'bounce', bounceClassification: 'Technical Failure' }, 'soft'],
      ['classified as Content', { type: 'bounce', bounceClassification: 'Content' }, 'soft'],
      ['classified as Reputation', { type: 'bounce', bounceClassification: 'Reputation' }, 'soft'],
      ['classified as too frequent', { type: 'bounce', bounceClassification: 'Frequency or Volume Too High' }, 'soft'],
      ['classified as Mailbox Unavailable', { type: 'bounce', bounceClassification: 'Mailbox Unavailable' }, 'soft'],
      [
        "classified as too frequent, in the guide's words",
        { bounceClassification: 'Frequency/Volume Too High' },
        'soft',
      ],
      // Then SendGrid's own behaviour: it will not try the address again.
      ['classified as Unclassified', { type: 'bounce', bounceClassification: 'Unclassified' }, 'hard'],
      ['as documented', { type: 'bounce', status: '5.0.0', reason: '500 unknown recipient' }, 'hard'],
      ['of which nothing is said', { type: 'bounce' }, 'hard'],
      ['in other letters', { type: 'Bounce' }, 'hard'],
      [
        'of type bounce with a reply without evidence',
        { type: 'bounce', reason: '550 There was a problem' },
        'undetermined',
      ],
      ['of type bounce with a code without evidence', { type: 'bounce', status: '5.4.1' }, 'undetermined'],
      ['of type bounce with 5.0.0', { type: 'bounce', status: '5.0.0', reason: ' ' }, 'hard'],
      // Without a type there is no evidence.
      ['without a type or any other evidence', {}, 'undetermined'],
      [
        'without a type, with codes without evidence',
        { status: '5.0.0', reason: '550 There was a problem' },
        'undetermined',
      ],
      ['without a type, unclassified', { bounceClassification: 'Unclassified' }, 'undetermined'],
      ['of an unknown type', { type: 'quarantine' }, 'undetermined'],
      [
        'of a type with a meaning in JavaScript',
        { type: 'constructor', bounceClassification: '__proto__' },
        'undetermined',
      ],
    ])('%s', (_, fields, bounceClass) => {
      expect(classifySendGrid(failure(fields))).toMatchObject({ outcome: 'bounced', bounceClass });
    });

    test.each<[what: string, Partial<SendGridFailure>, Cause]>([
      ['blocked by a list', { type: 'blocked', reason: '554 5.7.1 blocked using bl.example.net' }, 'blocklisted'],
      ['blocked though unknown', { type: 'blocked', status: '5.1.1' }, 'address-unknown'],
      ['blocked, without other evidence', { type: 'blocked' }, 'unknown'],
      ['expired', { type: 'expired' }, 'temporary'],
      ['of which nothing is said', { type: 'bounce' }, 'unknown'],
      ['classified as Reputation', { bounceClassification: 'Reputation' }, 'blocklisted'],
      ['classified as Content', { bounceClassification: 'Content' }, 'spam'],
      ['classified as Technical Failure', { bounceClassification: 'Technical Failure' }, 'temporary'],
      ['classified as Mailbox Unavailable', { bounceClassification: 'Mailbox Unavailable' }, 'mailbox-disabled'],
      [
        'classified as Mailbox Unavailable, with a text',
        { bounceClassification: 'Mailbox Unavailable', reason: '550 over quota' },
        'mailbox-full',
      ],
      [
        'classified as Invalid Address, with a text about a policy',
        { bounceClassification: 'Invalid Address', reason: '554 5.7.1 Recipient address rejected: Access denied' },
        'address-unknown',
      ],
    ])('%s has the cause %s', (_, fields, cause) => {
      expect(classifySendGrid(failure(fields)).cause).toBe(cause);
    });

    test('of type blocked is always soft', () => {
      holdsForAll(fc.record({ status: anyText, bounceClassification: anyText, reason: anyText }), (rest) => {
        expect(classifySendGrid(failure({ ...rest, type: 'blocked' })).bounceClass).toBe('soft');
      });
    });

    test('has the codes from its status and its reply', () => {
      expect(classifySendGrid(failure({ status: '5.1.1', reason: '550 no such user' }))).toEqual({
        outcome: 'bounced',
        bounceClass: 'hard',
        cause: 'address-unknown',
        smtpCode: '550',
        enhancedStatusCode: '5.1.1',
      });
    });
  });

  describe('a drop', () => {
    test.each<[reason: string, BounceClass, Cause]>([
      ['Bounced Address', 'hard', 'suppressed'],
      ['bounced address ', 'hard', 'suppressed'],
      ['Invalid', 'hard', 'address-unknown'],
      // The current reference's spelling.
      ['Invalid Address', 'hard', 'address-unknown'],
      ['Unsubscribed Address', 'undetermined', 'unsubscribed'],
      ['Spam Reporting Address', 'undetermined', 'complaint'],
      ['Spam Content', 'undetermined', 'spam'],
      ['Invalid SMTPAPI header', 'undetermined', 'invalid-mail'],
      ['Recipient List over Package Quota', 'undetermined', 'rate-limited'],
      ['', 'undetermined', 'unknown'],
      ['toString', 'undetermined', 'unknown'],
    ])('for %j is %s', (reason, bounceClass, cause) => {
      const classification = classifySendGrid(failure({ event: 'dropped', reason, status: '5.0.0' }));
      expect(classification).toEqual({
        outcome: 'dropped',
        bounceClass,
        cause,
        smtpCode: undefined,
        enhancedStatusCode: '5.0.0',
      });
    });
  });

  test('a spam report is a complaint and does not classify the address', () => {
    expect(classifySendGrid(failure({ event: 'spamreport' }))).toEqual({
      outcome: 'complained',
      bounceClass: 'undetermined',
      cause: 'complaint',
      smtpCode: undefined,
      enhancedStatusCode: undefined,
    });
  });
});

describe('Customers Mail Cloud', () => {
  const USER_UNKNOWN = '550 5.1.1 User unknown';
  const OVER_QUOTA = '452 4.2.2 over quota';

  test.each<[status: string, reason: string, Outcome, BounceClass, Cause]>([
    ['1', 'host unknown', 'bounced', 'hard', 'domain-unknown'],
    ['2', USER_UNKNOWN, 'bounced', 'hard', 'address-unknown'],
    ['3', '', 'bounced', 'soft', 'temporary'],
    ['4', '', 'bounced', 'undetermined', 'unknown'],
    ['4', USER_UNKNOWN, 'bounced', 'hard', 'address-unknown'],
    ['4', '550 5.7.1 rejected by policy', 'bounced', 'soft', 'policy'],
    ['5', USER_UNKNOWN, 'bounced', 'soft', 'mailbox-full'],
    ['6', '', 'bounced', 'undetermined', 'unknown'],
    ['6', USER_UNKNOWN, 'bounced', 'hard', 'address-unknown'],
    ['7', '', 'bounced', 'soft', 'temporary'],
    ['8', '', 'bounced', 'soft', 'too-large'],
    ['9', '', 'bounced', 'hard', 'address-unknown'],
    ['10', '', 'dropped', 'hard', 'suppressed'],
    ['11', '', 'dropped', 'undetermined', 'unsubscribed'],
    ['11', USER_UNKNOWN, 'dropped', 'undetermined', 'unsubscribed'],
    ['99', '', 'bounced', 'undetermined', 'unknown'],
    ['99', OVER_QUOTA, 'bounced', 'soft', 'mailbox-full'],
    ['12', '', 'bounced', 'undetermined', 'unknown'],
    ['12', USER_UNKNOWN, 'bounced', 'hard', 'address-unknown'],
    ['', '', 'bounced', 'undetermined', 'unknown'],
    ['constructor', '', 'bounced', 'undetermined', 'unknown'],
    // Only a reply that is soft overrides a status that is hard.
    ['2', OVER_QUOTA, 'bounced', 'soft', 'mailbox-full'],
    ['2', '450 try later', 'bounced', 'soft', 'temporary'],
    ['2', '550 Mailbox full', 'bounced', 'soft', 'mailbox-full'],
    ['2', '550 5.1.1 Too many messages', 'bounced', 'soft', 'rate-limited'],
    ['2', '554 5.7.1 Access denied', 'bounced', 'hard', 'address-unknown'],
    ['1', '', 'bounced', 'hard', 'domain-unknown'],
  ])('bounce status %j with %j: %s, %s, %s', (status, reason, outcome, bounceClass, cause) => {
    expect(classifyCustomersMailCloud('bounces', status, reason)).toMatchObject({ outcome, bounceClass, cause });
  });

  test('knows every documented bounce status', () => {
    expect(Object.keys(CUSTOMERS_MAIL_CLOUD_STATUSES).map(Number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 99]);
  });

  test('a message to an address on the block list is dropped without an attempt', () => {
    const reason = 'Recipient address <a@example.jp> is suppressed to send mail. (in reply to RCPT TO)';
    expect(classifyCustomersMailCloud('deliveries', 'failed', reason)).toMatchObject({
      outcome: 'dropped',
      bounceClass: 'hard',
      cause: 'suppressed',
    });
    expect(classifyCustomersMailCloud('bounces', '2', reason)).toMatchObject({ outcome: 'bounced' });
  });

  test.each<[reason: string, BounceClass]>([
    [USER_UNKNOWN, 'hard'],
    [OVER_QUOTA, 'soft'],
    ['', 'undetermined'],
  ])('the first notice with %j is a failure: %s', (reason, bounceClass) => {
    expect(classifyCustomersMailCloud('deliveries', 'failed', reason)).toMatchObject({
      outcome: 'failed',
      bounceClass,
    });
  });

  test('has the codes of the reply', () => {
    expect(classifyCustomersMailCloud('bounces', '2', USER_UNKNOWN)).toEqual({
      outcome: 'bounced',
      bounceClass: 'hard',
      cause: 'address-unknown',
      smtpCode: '550',
      enhancedStatusCode: '5.1.1',
    });
  });
});

test('the keys of the tables are in the form that lookups use', () => {
  for (const table of [SENDGRID_BOUNCE_TYPES, SENDGRID_BOUNCE_CLASSIFICATIONS, SENDGRID_DROP_REASONS]) {
    for (const word of Object.keys(table)) expect(word).toBe(word.trim().toLowerCase());
  }
  for (const code of Object.keys({ ...SPECIFIC_CODES, ...GENERIC_CODES })) expect(code).toMatch(/^5\.\d\.\d+$/);
});
