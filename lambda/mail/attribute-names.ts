/** Attributes of an item that a sender would expect to work, and that Todoke does not read. */

/** What Todoke reads of an item. */
export const ATTRIBUTES = [
  'provider',
  'from',
  'to',
  'cc',
  'bcc',
  'replyTo',
  'subject',
  'content',
  'html',
  'headers',
  'sendAnyway',
] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

/** Names that other mail APIs give to what Todoke reads. */
const OTHER_NAMES: Readonly<Partial<Record<Attribute, readonly string[]>>> = {
  from: ['fromAddress', 'fromEmail', 'fromName'],
  to: ['toAddress', 'toAddresses', 'toEmail', 'toName', 'toRecipients'],
  cc: ['ccAddress', 'ccAddresses', 'ccEmail', 'ccRecipients'],
  bcc: ['bccAddress', 'bccAddresses', 'bccEmail', 'bccRecipients'],
  replyTo: ['replyToAddress', 'replyToAddresses', 'replyToEmail', 'replyToList'],
  content: ['text', 'body', 'bodyText', 'textBody', 'plainText', 'textContent'],
  html: ['htmlBody', 'bodyHtml', 'htmlContent', 'htmlText'],
  headers: ['customHeaders', 'extraHeaders', 'additionalHeaders'],
};

/** Headers that other mail APIs take as a field of its own. */
const HEADERS = ['List-Unsubscribe', 'List-Unsubscribe-Post', 'Auto-Submitted', 'In-Reply-To'];

/** What Todoke does not do, and the attributes that ask for it. */
const UNSUPPORTED: Readonly<Record<string, readonly string[]>> = {
  'does not send attachments': ['attachment', 'attachments', 'icalEvent'],
  'does not fill in templates': [
    'templateId',
    'templateData',
    'templateModel',
    'dynamicTemplateData',
    'substitutions',
    'substitutionData',
    'personalizations',
    'mergeVars',
    'globalMergeVars',
  ],
  'does not schedule mail': ['sendAt', 'sendAfter', 'sendLater', 'scheduleAt', 'scheduledAt', 'scheduledFor'],
  'does not set categories': ['categories'],
  'does not set custom arguments': ['customArgs', 'customArguments', 'uniqueArgs', 'uniqueArguments'],
  'sets X-Api-Data itself': ['apiData', 'xApiData'],
  'does not set the return path': ['returnPath', 'envelopeFrom'],
  'does not change the settings of the provider': [
    'asm',
    'asmGroupId',
    'ipPoolName',
    'mailSettings',
    'trackingSettings',
    'clickTracking',
    'openTracking',
    'trackClicks',
    'trackOpens',
    'sandboxMode',
  ],
};

/** `reply_to`, `Reply-To` and `ReplyTo` are one name. */
const normalized = (name: string): string => name.toLowerCase().replace(/[\s_-]/g, '');

/** By normalized name, what to do about an attribute of that meaning. */
const ADVICE = new Map<string, (name: string) => string>([
  ...ATTRIBUTES.flatMap((attribute) =>
    [attribute, ...(OTHER_NAMES[attribute] ?? [])].map(
      (name) => [normalized(name), (written: string) => `write ${attribute}, not ${written}`] as const,
    ),
  ),
  ...HEADERS.map((header) => [normalized(header), (written: string) => `put ${written} into headers`] as const),
  ...Object.entries(UNSUPPORTED).flatMap(([what, names]) =>
    names.map(
      (name) => [normalized(name), (written: string) => `Todoke ${what}: remove the attribute ${written}`] as const,
    ),
  ),
]);

/**
 * What to do about an attribute that a sender would expect to work; undefined if Todoke reads it, or if it is the
 * user's own.
 */
export function adviceOn(name: string): string | undefined {
  if (ATTRIBUTES.some((attribute) => attribute === name)) return undefined;
  return ADVICE.get(normalized(name))?.(name);
}
