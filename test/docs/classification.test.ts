import { expect, test } from 'vitest';
import { bounceClassOfReply, ENHANCED_STATUS_CLASSES } from '../../lambda/mail/classification.ts';
import {
  CUSTOMERS_MAIL_CLOUD_STATUSES,
  classifyCustomersMailCloud,
} from '../../lambda/providers/customers-mail-cloud/classification.ts';
import {
  classifySendGrid,
  SENDGRID_BOUNCE_CLASSIFICATIONS,
  SENDGRID_BOUNCE_TYPES,
  SENDGRID_DROP_REASONS,
} from '../../lambda/providers/sendgrid/classification.ts';

/** The page is made here, from the code: `npx vitest run test/docs --update` writes it anew. */
test('docs/classification.md says what the code does', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/classification.md');
});

function page(): string {
  const SUPPRESSED = 'Recipient address <…> is suppressed to send mail';
  const sendGrid = { event: 'bounce', type: 'bounce', status: '', bounceClassification: '', reason: '' } as const;
  return `# Classification

Made by \`test/docs/classification.test.ts\` from \`lambda/mail/classification.ts\` and from \`classification.ts\` of each folder in
\`lambda/providers/\`. These files name the sources.

## SendGrid

A \`bounce\` has the outcome \`bounced\`, whatever its type. The first row that fits gives its class:

${table(
  ['what decides', 'value', 'bounceClass'],
  [
    ...Object.keys(SENDGRID_BOUNCE_TYPES).map((type) => [
      '`type`',
      `\`${type}\``,
      classifySendGrid({ ...sendGrid, type }).bounceClass,
    ]),
    ['codes of `status` and `reason`', 'the table of codes below', 'hard or soft'],
    ...Object.keys(SENDGRID_BOUNCE_CLASSIFICATIONS).map((bounceClassification) => [
      '`bounce_classification`',
      `\`${bounceClassification}\``,
      classifySendGrid({ ...sendGrid, bounceClassification }).bounceClass,
    ]),
    ['`type`', '`bounce`', classifySendGrid(sendGrid).bounceClass],
    ['nothing of this', '', classifySendGrid({ ...sendGrid, type: '' }).bounceClass],
  ],
)}

A \`dropped\` has the outcome \`dropped\`:

${table(
  ['`reason`', 'bounceClass'],
  [
    ...Object.keys(SENDGRID_DROP_REASONS).map((reason) => [
      `\`${reason}\``,
      classifySendGrid({ ...sendGrid, event: 'dropped', reason }).bounceClass,
    ]),
    ['any other', classifySendGrid({ ...sendGrid, event: 'dropped', reason: 'other' }).bounceClass],
  ],
)}

A \`spamreport\` has the outcome \`${classifySendGrid({ ...sendGrid, event: 'spamreport' }).outcome}\` and the class \`${classifySendGrid({ ...sendGrid, event: 'spamreport' }).bounceClass}\`.

## Customers Mail Cloud

\`deliveries\` of status \`failed\`, and a refusal at the handover, have the outcome \`${classifyCustomersMailCloud('deliveries', 'failed', '').outcome}\`; their class is that of the reply. Where the reply says \`${SUPPRESSED}\`, nobody tried: the outcome is \`${classifyCustomersMailCloud('deliveries', 'failed', SUPPRESSED).outcome}\`, the class \`${classifyCustomersMailCloud('deliveries', 'failed', SUPPRESSED).bounceClass}\`. Entries of \`blocks\` are changes to the block list, with the outcome \`blocklisted\` and no class. \`bounces\`:

${table(
  ['`status`', 'meaning', 'outcome', 'bounceClass'],
  [
    ...Object.entries(CUSTOMERS_MAIL_CLOUD_STATUSES)
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([status, { meaning, bounceClass }]) => [
        `\`${status}\``,
        meaning,
        classifyCustomersMailCloud('bounces', status, '').outcome,
        bounceClass === 'byReply' ? 'that of the reply' : bounceClass,
      ]),
    ['any other', '', classifyCustomersMailCloud('bounces', 'other', '').outcome, 'that of the reply'],
  ],
)}

## Codes of a reply

Enhanced status codes (RFC 3463) of class 4 are soft. Of class 5:

${table(
  ['code', 'bounceClass'],
  [
    ...Object.keys(ENHANCED_STATUS_CLASSES).map((code) => [
      `\`${code}\``,
      bounceClassOfReply({ enhancedStatusCode: code, smtpCode: undefined }),
    ]),
    ...['3', '4', '6', '7'].map((subject) => [
      `any other \`5.${subject}.x\``,
      bounceClassOfReply({ enhancedStatusCode: `5.${subject}.99`, smtpCode: undefined }),
    ]),
    ['any other', bounceClassOfReply({ enhancedStatusCode: '5.9.9', smtpCode: undefined })],
  ],
)}

Without one, an SMTP reply code (RFC 5321) of class 4 is ${bounceClassOfReply({ enhancedStatusCode: undefined, smtpCode: '450' })}, and one of class 5 ${bounceClassOfReply({ enhancedStatusCode: undefined, smtpCode: '550' })}.
`;
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
