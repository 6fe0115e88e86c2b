import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  customersMailCloudMessageId,
  messageIdFor,
  sendGridMessageId,
  smtpIdLocalPart,
} from '../../../lambda/mail/message-id.ts';
import { holdsForAll } from './property.ts';

describe("SendGrid's message id", () => {
  test.each([
    ['LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0', 'LRzXl_NHStOGhQ4kofSm_A'],
    ['wrfRRvF7Q0GgwUo2CvDmEA.filter0425p1mdw1.13037.57168B4A1D.0', 'wrfRRvF7Q0GgwUo2CvDmEA'],
    ['56WoYBdESN6RyEn_7bJRKA.recvd-5b6594c664-csn64-1-65A9F4D1-A.0', '56WoYBdESN6RyEn_7bJRKA'],
    ['14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0', '14c5d75ce93.dfd.64b469'],
    ['14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.000000000000000000000', '14c5d75ce93.dfd.64b469'],
    ['142d9f3f351.7618.254f56.filter-147.22649.52A663508.0', '142d9f3f351.7618.254f56'],
    ['5lFl7Fr1Rjme_EyzNNB_5A.stfilter-015.5185.55F883172.0', '5lFl7Fr1Rjme_EyzNNB_5A'],
    ['sg_message_id', 'sg_message_id'],
  ])('of %s is %s', (sgMessageId, messageId) => {
    expect(sendGridMessageId(sgMessageId)).toBe(messageId);
  });

  test.each(['filter0093p1las1.9128.5717FB8127.0', 'recvd0.16648.5515E0B88.0'])(
    'is undefined if a mail was dropped before it got one: %s',
    (sgMessageId) => {
      expect(sendGridMessageId(sgMessageId)).toBe('');
    },
  );

  test("is the X-Message-Id, for the sender and for every event, without the recipient's suffix", () => {
    const messageId = fc.stringMatching(/^[\w-]{22}$/);
    const suffix = fc.stringMatching(/^\.(filter|recvd|filterdrecv-|geopod-)[\w.-]{0,40}$/);
    holdsForAll(fc.tuple(messageId, suffix), ([id, recipient]) => {
      expect(sendGridMessageId(id)).toBe(id);
      expect(sendGridMessageId(id + recipient)).toBe(id);
    });
  });
});

describe("the local part of SendGrid's smtp-id", () => {
  test.each([
    ['<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>', 'LRzXl_NHStOGhQ4kofSm_A'],
    ['<14c5d75ce93.dfd.64b469@ismtpd-555>', '14c5d75ce93.dfd.64b469'],
    ['14c5d75ce93.dfd.64b469@ismtpd-555', '14c5d75ce93.dfd.64b469'],
    ['<sendgrid.internal>', ''],
    ['<>', ''],
    ['<@example.com>', ''],
    ['', ''],
  ])('of %j is %j', (smtpId, localPart) => {
    expect(smtpIdLocalPart(smtpId)).toBe(localPart);
  });
});

describe("Customers Mail Cloud's message id", () => {
  test.each([
    ['plain', '<031a32d4@example.com>'],
    ['escaped once more', '\\u003C031a32d4@example.com\\u003E'],
    ['escaped in lower case', '\\u003c031a32d4@example.com\\u003e'],
    ['escaped twice more', '\\\\u003C031a32d4@example.com\\\\u003E'],
    ['between spaces', ' <031a32d4@example.com>\n'],
  ])('is the same if it is %s', (_, messageId) => {
    expect(customersMailCloudMessageId(messageId)).toBe('<031a32d4@example.com>');
  });

  test('is undefined if there is none', () => {
    expect(customersMailCloudMessageId('')).toBe('');
    expect(customersMailCloudMessageId(' ')).toBe('');
  });

  test('is not changed if nothing is escaped', () => {
    expect(customersMailCloudMessageId('823cb160@node1')).toBe('823cb160@node1');
    expect(customersMailCloudMessageId('<u003C@example.com>')).toBe('<u003C@example.com>');
  });
});

describe('the message id that the sender chooses', () => {
  test('is a unique name at the domain of the sender, in angle brackets', () => {
    expect(messageIdFor('event 1', 'example.com')).toMatch(
      /^<[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}@example\.com>$/,
    );
  });

  test('is the same for the same sending, and different for different sendings', () => {
    expect(messageIdFor('event 1', 'example.com')).toBe(messageIdFor('event 1', 'example.com'));
    expect(messageIdFor('event 1', 'example.com')).not.toBe(messageIdFor('event 2', 'example.com'));
  });

  test('is ASCII, as headers must be, also with an international domain', () => {
    expect(messageIdFor('event 1', '例え.jp')).toMatch(/^<[\x21-\x7e]+@[\x21-\x7e]+>$/);
  });

  test('is at localhost if the domain is invalid', () => {
    expect(messageIdFor('event 1', 'exam ple')).toMatch(/@localhost>$/);
  });

  test("is the same in the provider's events", () => {
    const sent = messageIdFor('event 1', 'example.com');
    expect(customersMailCloudMessageId(sent)).toBe(sent);
    expect(customersMailCloudMessageId(sent.replace('<', '\\u003C').replace('>', '\\u003E'))).toBe(sent);
  });
});
