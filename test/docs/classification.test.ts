import { expect, test } from 'vitest';
import { weigh } from '../../lambda/mail/classification.ts';
import { GENERIC_CODES, GENERIC_SUBJECTS, readReply, SMTP_CODES, SPECIFIC_CODES } from '../../lambda/mail/reply.ts';
import { COMMON_PHRASES, KNOWN_TEXTS, type KnownText } from '../../lambda/mail/reply-texts.ts';
import { BOUNCE_CLASSES, CAUSES, type Verdict } from '../../lambda/mail/verdict.ts';
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
import {
  accuracy,
  confusion,
  isHeldOut,
  LABELS,
  PROVIDERS_VERDICTS,
  SAMPLE,
  type SampleReply,
} from '../lambda/mail/reply-sample.ts';
import { readPage } from './pages.ts';

const MARK = /(<!-- made: (?<name>[a-z-]+) -->\n).*?(<!-- end -->)/gs;

/** The parts between the marks are generated from the code: `npx vitest run test/docs --update` writes them again. */
test('docs/classification.md agrees with the code', async () => {
  const page = await readPage('docs/classification.md');
  const names = [...page.matchAll(MARK)].map(({ groups }) => groups?.['name']);
  expect(names).toEqual(Object.keys(MADE));
  const made = page.replaceAll(MARK, (_, start: string, name: string, end: string) => {
    return `${start}\n${MADE[name]?.()}\n\n${end}`;
  });
  await expect(made).toMatchFileSnapshot('../../docs/classification.md');
});

/** The generated parts, in the order of the page. */
const MADE: Readonly<Record<string, () => string>> = {
  causes: () => CAUSES.map((cause) => `\`${cause}\``).join(', '),
  'specific-codes': () =>
    table(
      ['code', 'bounceClass', 'cause'],
      Object.keys(SPECIFIC_CODES).map((code) => row(code, weigh(readReply(code)))),
    ),
  'generic-codes': () =>
    table(
      ['code', 'bounceClass', 'cause'],
      [
        ...Object.keys(GENERIC_CODES).map((code) => row(code, weigh(readReply(code)))),
        ...Object.keys(GENERIC_SUBJECTS).map((subject) =>
          row(`5.${subject}.x`, weigh(readReply(`5.${subject}.999`)), 'any other '),
        ),
        row('', weigh(readReply('5.9.9')), 'any other'),
      ],
    ),
  'smtp-codes': () =>
    table(
      ['code', 'bounceClass', 'cause'],
      [
        ...Object.keys(SMTP_CODES).map((code) => row(code, weigh(readReply(code)))),
        row('', weigh(readReply('554')), 'any other'),
      ],
    ),
  'sendgrid-words': () =>
    table(
      ['what', 'value', 'bounceClass', 'cause'],
      [
        ...Object.entries(SENDGRID_BOUNCE_TYPES).map(([type, verdict]) => ['`type`', ...row(type, verdict)]),
        ...Object.entries(SENDGRID_BOUNCE_CLASSIFICATIONS).map(([classification, verdict]) => [
          '`bounce_classification`',
          ...row(classification, verdict),
        ]),
        ['`type`', ...row('bounce', sendGrid('bounce', 'bounce', ''))],
        ['`dropped`', ...row('', sendGrid('dropped', '', 'other'), 'any other `reason`')],
        ...Object.keys(SENDGRID_DROP_REASONS).map((reason) => [
          '`dropped`',
          ...row(reason, sendGrid('dropped', '', reason)),
        ]),
        ['`spamreport`', ...row('', sendGrid('spamreport', '', ''))],
      ],
    ),
  'customers-mail-cloud-words': () =>
    table(
      ['`status`', 'meaning', 'outcome', 'bounceClass', 'cause'],
      Object.entries(CUSTOMERS_MAIL_CLOUD_STATUSES)
        .sort(([a], [b]) => Number(a) - Number(b))
        .map(([status, { meaning, verdict }]) => {
          const { outcome, bounceClass, cause } = classifyCustomersMailCloud('bounces', status, '');
          const [ofClass, ofCause] = verdict
            ? [bounceClass, `\`${cause}\``]
            : ['that of the reply', 'that of the reply'];
          return [`\`${status}\``, meaning, outcome, ofClass, ofCause];
        }),
    ),
  texts: () => texts(KNOWN_TEXTS),
  'common-phrases': () => texts(COMMON_PHRASES),
  labels: () =>
    table(
      ['label', 'bounceClass', 'cause'],
      Object.entries(LABELS).map(([label, { bounceClass, cause }]) => [
        `\`${label}\``,
        bounceClass,
        cause ? `\`${cause}\`` : '—',
      ]),
    ),
  confusion: () => {
    const parts: [string, SampleReply[]][] = [
      ['all', SAMPLE],
      ['development', SAMPLE.filter((reply) => !isHeldOut(reply))],
      ['held out', SAMPLE.filter(isHeldOut)],
    ];
    return table(
      ['provider', 'part', 'replies', 'expected class', ...BOUNCE_CLASSES, 'class correct', 'cause correct'],
      Object.entries(PROVIDERS_VERDICTS).flatMap(([provider, classify]) =>
        parts.flatMap(([part, replies]) => {
          const counts = confusion(replies, classify);
          const { bounceClass, cause } = accuracy(replies, classify);
          return BOUNCE_CLASSES.map((right, index) => [
            ...(index === 0 ? [provider, part, String(replies.length)] : ['', '', '']),
            right,
            ...BOUNCE_CLASSES.map((name) => String(counts[right][name])),
            ...(index === 0 ? [percent(bounceClass), percent(cause)] : ['', '']),
          ]);
        }),
      ),
    );
  },
};

function sendGrid(event: 'bounce' | 'dropped' | 'spamreport', type: string, reason: string): Verdict {
  return classifySendGrid({ event, type, status: '', bounceClassification: '', reason });
}

function row(word: string, { bounceClass, cause }: Verdict, before = ''): string[] {
  return [`${before}${word === '' ? '' : `\`${word}\``}`, bounceClass, `\`${cause}\``];
}

/** In the order in which the code searches for them. */
function texts(known: readonly KnownText[]): string {
  return table(
    ['bounceClass', 'cause', 'phrases', 'who writes them'],
    known.map(({ verdict, phrases, source }) => [
      verdict.bounceClass,
      `\`${verdict.cause}\``,
      phrases.map((phrase) => `\`${phrase.replaceAll('|', '\\|')}\``).join(', '),
      source,
    ]),
  );
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
