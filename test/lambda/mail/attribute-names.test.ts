import { describe, expect, test } from 'vitest';
import { ATTRIBUTES, adviceOn } from '../../../lambda/mail/attribute-names.ts';

/** Names in other mail APIs and tools, by Todoke's attribute. */
const WRITE = {
  // Amazon SES, Mailgun, Mandrill, Microsoft Graph, Nodemailer, Postmark, Resend, SendGrid and Brevo, and other common spellings.
  provider: ['Provider'],
  from: ['From', 'from_address', 'from_email', 'FromEmail', 'from_name'],
  to: ['To', 'to_address', 'ToAddresses', 'to_email', 'to_name', 'toRecipients'],
  cc: ['Cc', 'cc_address', 'CcAddresses', 'cc_email', 'ccRecipients'],
  bcc: ['Bcc', 'bcc_address', 'BccAddresses', 'bcc_email', 'bccRecipients'],
  replyTo: ['Reply-To', 'reply_to', 'ReplyToAddress', 'ReplyToAddresses', 'reply_to_email', 'reply_to_list'],
  subject: ['Subject'],
  content: ['Content', 'text', 'body', 'bodyText', 'TextBody', 'plain_text', 'textContent'],
  html: ['HTML', 'HtmlBody', 'bodyHtml', 'htmlContent', 'html_text'],
  headers: ['Headers', 'custom_headers', 'extra_headers', 'additional_headers'],
  sendAnyway: ['send_anyway'],
} as const;

/** Fields of such APIs for what Todoke does not do. */
const REMOVE = {
  'does not send attachments': ['attachment', 'Attachments', 'icalEvent'],
  'does not fill in templates': [
    'template_id',
    'TemplateData',
    'TemplateModel',
    'dynamic_template_data',
    'substitutions',
    'substitution_data',
    'personalizations',
    'merge_vars',
    'global_merge_vars',
  ],
  'does not schedule mail': ['send_at', 'send_after', 'sendLater', 'schedule_at', 'scheduledAt', 'scheduled_for'],
  'does not set categories': ['categories'],
  'does not set custom arguments': ['custom_args', 'custom_arguments', 'unique_args', 'unique_arguments'],
  'sets X-Api-Data itself': ['api_data', 'X-Api-Data'],
  'does not set the return path': ['Return-Path', 'envelope_from'],
  'does not change the settings of the provider': [
    'asm',
    'asm_group_id',
    'ip_pool_name',
    'mail_settings',
    'tracking_settings',
    'click_tracking',
    'open_tracking',
    'TrackClicks',
    'TrackOpens',
    'sandbox_mode',
  ],
};

describe('the advice on an attribute', () => {
  test.each(Object.entries(WRITE))('says to write %s', (attribute, names: readonly string[]) => {
    expect(names.map(adviceOn)).toEqual(names.map((name) => `write ${attribute}, not ${name}`));
  });

  test.each(Object.entries(REMOVE))('says that Todoke %s', (what, names) => {
    expect(names.map(adviceOn)).toEqual(names.map((name) => `Todoke ${what}: remove the attribute ${name}`));
  });

  test('says to put a header into headers', () => {
    const names = ['List-Unsubscribe', 'list-unsubscribe-post', 'Auto-Submitted', 'in_reply_to'];
    expect(names.map(adviceOn)).toEqual(names.map((name) => `put ${name} into headers`));
  });

  test('does not exist for attributes that Todoke reads, and for the user’s own attributes', () => {
    expect(ATTRIBUTES.map(adviceOn).filter(Boolean)).toEqual([]);
    expect(ATTRIBUTES.toSorted()).toEqual(Object.keys(WRITE).toSorted());
    expect(['orderId', '', ' ', 'constructor'].map(adviceOn).filter(Boolean)).toEqual([]);
  });
});
