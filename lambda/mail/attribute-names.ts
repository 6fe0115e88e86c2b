/** Attributes that a user may expect to work, and that Todoke does not read, with advice on each. */

/** The attributes of an item that Todoke reads. */
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

/** Names that other mail APIs give to these attributes. */
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

/** Headers that other mail APIs accept as fields of their own. */
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

/** Makes one name of `reply_to`, `Reply-To` and `ReplyTo`. */
const normalized = (name: string): string => name.toLowerCase().replace(/[\s_-]/g, '');

/** The advice on an attribute, by its normalized name. */
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
 * What to do about an attribute that a user may expect to work; undefined if Todoke reads it, or if it is the user's
 * own.
 */
export function adviceOn(name: string): string | undefined {
  if (ATTRIBUTES.some((attribute) => attribute === name)) return undefined;
  return ADVICE.get(normalized(name))?.(name);
}
