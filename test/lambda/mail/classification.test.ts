import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BounceClass,
  bounceClassOfReply,
  ENHANCED_STATUS_CLASSES,
  type Outcome,
  replyCodes,
} from '../../../lambda/mail/classification.ts';
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
    ['message 1550 5.1.1 was refused', '', undefined, '5.1.1'],
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
    [`${'x'.repeat(100_000)} 550 5.1.1`, '', undefined, undefined],
  ])('%j with status %j', (reply, status, smtpCode, enhancedStatusCode) => {
    expect(replyCodes(reply, status)).toEqual({ smtpCode, enhancedStatusCode });
  });

  test('are codes or nothing, whatever the text', () => {
    holdsForAll(fc.tuple(anyText, anyText), ([reply, status]) => {
      const { smtpCode = '250', enhancedStatusCode = '2.0.0' } = replyCodes(reply, status);
      expect(smtpCode).toMatch(/^[245]\d\d$/);
      expect(enhancedStatusCode).toMatch(/^[245]\.\d{1,3}\.\d{1,3}$/);
    });
  });
});

describe('what a reply alone says of the address', () => {
  test.each<[enhancedStatusCode: string | undefined, smtpCode: string | undefined, BounceClass]>([
    // RFC 3463: class 4 is a persistent transient failure, whatever the subject.
    ['4.1.1', '550', 'soft'],
    ['4.2.2', '452', 'soft'],
    ['4.4.1', undefined, 'soft'],
    // Subject 1: the address.
    ['5.1.0', '550', 'hard'],
    ['5.1.1', '550', 'hard'],
    ['5.1.2', '550', 'hard'],
    ['5.1.3', '553', 'hard'],
    ['5.1.4', '550', 'undetermined'],
    ['5.1.6', '551', 'hard'],
    ['5.1.7', '553', 'soft'],
    ['5.1.8', '553', 'soft'],
    ['5.1.10', '556', 'hard'],
    // Subject 2: the mailbox.
    ['5.2.0', '550', 'undetermined'],
    ['5.2.1', '550', 'hard'],
    ['5.2.2', '552', 'soft'],
    ['5.2.3', '552', 'soft'],
    ['5.2.4', '550', 'undetermined'],
    // Subjects 3, 4, 6 and 7: the system, the network, the content, a policy.
    ['5.3.0', '554', 'soft'],
    ['5.3.4', '552', 'soft'],
    ['5.4.1', '550', 'soft'],
    ['5.4.4', '550', 'hard'],
    ['5.4.7', '554', 'soft'],
    ['5.6.0', '554', 'soft'],
    ['5.7.1', '550', 'soft'],
    ['5.7.26', '550', 'soft'],
    // Nothing that blames anything.
    ['5.0.0', '550', 'undetermined'],
    ['5.5.0', '550', 'undetermined'],
    ['5.9.9', '550', 'undetermined'],
    [undefined, '550', 'undetermined'],
    [undefined, undefined, 'undetermined'],
    // Without an enhanced code, RFC 5321's own: 4yz is transient.
    [undefined, '450', 'soft'],
    [undefined, '421', 'soft'],
  ])('%s %s: %s', (enhancedStatusCode, smtpCode, expected) => {
    expect(bounceClassOfReply({ enhancedStatusCode, smtpCode })).toBe(expected);
  });
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
      // The type `blocked` is soft whatever else is said: only `bounce` goes onto the suppression list.
      ['blocked by a policy', { type: 'blocked', status: '5.7.1', reason: '554 5.7.1 blocked' }, 'soft'],
      [
        'blocked, as the documentation has it',
        { type: 'blocked', status: '5.0.0', reason: '500 unknown recipient' },
        'soft',
      ],
      ['blocked though unknown', { type: 'blocked', status: '5.1.1', reason: '550 5.1.1 User unknown' }, 'soft'],
      ['blocked with an invalid address', { type: 'blocked', bounceClassification: 'Invalid Address' }, 'soft'],
      ['blocked in other letters', { type: 'Blocked' }, 'soft'],
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
      ['that may pass, by its SMTP code', { type: 'bounce', reason: '450 try later' }, 'soft'],
      ['whose codes contradict its class', { status: '5.1.1', bounceClassification: 'Reputation' }, 'hard'],
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
      // Then SendGrid's own doing: it will not try the address again.
      ['classified as Unclassified', { type: 'bounce', bounceClassification: 'Unclassified' }, 'hard'],
      ['as the documentation has it', { type: 'bounce', status: '5.0.0', reason: '500 unknown recipient' }, 'hard'],
      ['of which nothing is said', { type: 'bounce' }, 'hard'],
      ['in other letters', { type: 'Bounce' }, 'hard'],
      // And where there is not even a type, nothing.
      ['without a type of which nothing is said', {}, 'undetermined'],
      [
        'without a type, with codes that say nothing',
        { status: '5.0.0', reason: '500 unknown recipient' },
        'undetermined',
      ],
      ['without a type, unclassified', { bounceClassification: 'Unclassified' }, 'undetermined'],
      ['of an unknown type', { type: 'quarantine' }, 'undetermined'],
      [
        'of a type that means something to JavaScript',
        { type: 'constructor', bounceClassification: '__proto__' },
        'undetermined',
      ],
    ])('%s', (_, fields, bounceClass) => {
      expect(classifySendGrid(failure(fields))).toMatchObject({ outcome: 'bounced', bounceClass });
    });

    test('of type blocked is soft, whatever else is said', () => {
      holdsForAll(fc.record({ status: anyText, bounceClassification: anyText, reason: anyText }), (rest) => {
        expect(classifySendGrid(failure({ ...rest, type: 'blocked' })).bounceClass).toBe('soft');
      });
    });

    test('has the codes of its status and its reply', () => {
      expect(classifySendGrid(failure({ status: '5.1.1', reason: '550 no such user' }))).toEqual({
        outcome: 'bounced',
        bounceClass: 'hard',
        smtpCode: '550',
        enhancedStatusCode: '5.1.1',
      });
    });
  });

  describe('a drop', () => {
    test.each<[reason: string, BounceClass]>([
      ['Bounced Address', 'hard'],
      ['bounced address ', 'hard'],
      ['Invalid', 'hard'],
      // The word for it in the reference as it is now.
      ['Invalid Address', 'hard'],
      ['Unsubscribed Address', 'undetermined'],
      ['Spam Reporting Address', 'undetermined'],
      ['Spam Content', 'undetermined'],
      ['Invalid SMTPAPI header', 'undetermined'],
      ['Recipient List over Package Quota', 'undetermined'],
      ['', 'undetermined'],
      ['toString', 'undetermined'],
    ])('for %j is %s', (reason, bounceClass) => {
      const classification = classifySendGrid(failure({ event: 'dropped', reason, status: '5.0.0' }));
      expect(classification).toEqual({
        outcome: 'dropped',
        bounceClass,
        smtpCode: undefined,
        enhancedStatusCode: '5.0.0',
      });
    });
  });

  test('a spam report is a complaint and says nothing of the address', () => {
    expect(classifySendGrid(failure({ event: 'spamreport' }))).toEqual({
      outcome: 'complained',
      bounceClass: 'undetermined',
      smtpCode: undefined,
      enhancedStatusCode: undefined,
    });
  });
});

describe('Customers Mail Cloud', () => {
  const USER_UNKNOWN = '550 5.1.1 User unknown';
  const OVER_QUOTA = '452 4.2.2 over quota';

  test.each<[status: string, reason: string, Outcome, BounceClass]>([
    ['1', 'host unknown', 'bounced', 'hard'],
    ['2', USER_UNKNOWN, 'bounced', 'hard'],
    ['2', OVER_QUOTA, 'bounced', 'hard'],
    ['3', '', 'bounced', 'soft'],
    ['4', '', 'bounced', 'undetermined'],
    ['4', USER_UNKNOWN, 'bounced', 'hard'],
    ['4', '550 5.7.1 rejected by policy', 'bounced', 'soft'],
    ['5', USER_UNKNOWN, 'bounced', 'soft'],
    ['6', '', 'bounced', 'undetermined'],
    ['6', USER_UNKNOWN, 'bounced', 'hard'],
    ['7', '', 'bounced', 'soft'],
    ['8', '', 'bounced', 'soft'],
    ['9', '', 'bounced', 'hard'],
    ['10', '', 'dropped', 'hard'],
    ['11', '', 'dropped', 'undetermined'],
    ['99', '', 'bounced', 'undetermined'],
    ['99', OVER_QUOTA, 'bounced', 'soft'],
    ['12', '', 'bounced', 'undetermined'],
    ['12', USER_UNKNOWN, 'bounced', 'hard'],
    ['', '', 'bounced', 'undetermined'],
    ['constructor', '', 'bounced', 'undetermined'],
  ])('bounce status %j with %j: %s, %s', (status, reason, outcome, bounceClass) => {
    expect(classifyCustomersMailCloud('bounces', status, reason)).toMatchObject({ outcome, bounceClass });
  });

  test('knows every documented bounce status', () => {
    expect(Object.keys(CUSTOMERS_MAIL_CLOUD_STATUSES).map(Number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 99]);
  });

  test('an address on the block list is a drop: nobody tried', () => {
    const reason = 'Recipient address <a@example.jp> is suppressed to send mail. (in reply to RCPT TO)';
    expect(classifyCustomersMailCloud('deliveries', 'failed', reason)).toMatchObject({
      outcome: 'dropped',
      bounceClass: 'hard',
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
      smtpCode: '550',
      enhancedStatusCode: '5.1.1',
    });
  });
});

test('the tables are written as they are looked up', () => {
  for (const table of [SENDGRID_BOUNCE_TYPES, SENDGRID_BOUNCE_CLASSIFICATIONS, SENDGRID_DROP_REASONS]) {
    for (const word of Object.keys(table)) expect(word).toBe(word.trim().toLowerCase());
  }
  for (const code of Object.keys(ENHANCED_STATUS_CLASSES)) expect(code).toMatch(/^5\.\d\.\d+$/);
});
