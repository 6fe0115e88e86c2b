/** Counts outcomes over time, and bounce rates. */
import type { Row } from '../../lambda/aws/dynamodb.ts';
import { mailboxKey, readAddresses } from '../../lambda/mail/address.ts';
import { bounceByDay, sentLogByDay, type Tables } from '../../lambda/recipients/tables.ts';
import { newestFirst } from '../../lambda/recording/day-index.ts';
import { type Answered, type Asked, COUNTED_OUTCOMES, type CountedOutcome, type Rate } from '../shared/api.ts';
import { withoutFirstNotices } from '../shared/first-notices.ts';

/** The most rows that are read of each table. That takes some seconds; a thousand calls cost some cents. */
const MAX_READ = 5_000;
const MAX_DOMAINS = 25;

/** The failures of a period, and their rate among the sent mail. Reads at most `maxRead` rows of each table. */
export async function overview(
  tables: Tables,
  { edges }: Asked<'overview'>,
  maxRead = MAX_READ,
): Promise<Answered<'overview'>> {
  const from = edges[0] ?? '';
  const to = edges.at(-1) ?? '';
  const all = { from, to, limit: maxRead, maxRead, maxDays: 400 };
  const [sent, failed] = await Promise.all([
    newestFirst(sentLogByDay(tables), all),
    newestFirst(bounceByDay(tables), all),
  ]);
  // Both count from the same time, or the rates would be of different days.
  const cut = [sent, failed].filter(({ cursor }) => cursor !== undefined).map(({ back }) => back);
  const countedFrom = cut.sort().at(-1);
  const counted = (rows: readonly Row[], time: string) =>
    countedFrom === undefined ? rows : rows.filter((row) => String(row[time]) >= countedFrom);
  return {
    ...figures(counted(sent.rows, 'sentAt'), counted(failed.rows, 'occurredAt'), edges),
    ...(countedFrom !== undefined && { countedFrom }),
  };
}

/**
 * Counts rows by column, domain and provider. Rates count only the recipients in `to` of the mails in `sentRows`. Exported
 * for its test.
 */
export function figures(sentRows: readonly Row[], failedRows: readonly Row[], edges: readonly string[]) {
  const columns = edges.length - 1;
  const zeros = () => Array.from({ length: columns }, () => 0);
  const columnOf = (time: unknown) => edges.findLastIndex((edge) => edge <= String(time));
  const count = (list: number[], column: number) => {
    const before = list[column];
    if (before !== undefined) list[column] = before + 1;
  };
  const domains = new Map<string, Rate>();
  const providers = new Map<string, Rate>();
  const sent = zeros();
  const mails = new Map<string, { readonly provider: string; readonly recipients: ReadonlySet<string> }>();
  for (const row of sentRows) {
    count(sent, columnOf(row['sentAt']));
    const provider = String(row['provider'] ?? '');
    const recipients = new Set(readAddresses(row['to']).map(({ email }) => mailboxKey(email)));
    mails.set(String(row['messageId']), { provider, recipients });
    for (const recipient of recipients) {
      rateOf(domains, domainOf(recipient)).sent++;
      rateOf(providers, provider).sent++;
    }
  }
  const outcomes: Record<CountedOutcome, number[]> = {
    bounced: zeros(),
    dropped: zeros(),
    failed: zeros(),
    complained: zeros(),
    unrecognized: zeros(),
  };
  const seen = new Set<string>();
  let unmatched = 0;
  for (const row of withoutFirstNotices(failedRows)) {
    const outcome = COUNTED_OUTCOMES.find((name) => name === row['outcome']);
    if (outcome === undefined) continue;
    count(outcomes[outcome], columnOf(row['occurredAt']));
    if (row['matched'] !== true) unmatched++;
    const kind = rateKind(row);
    const recipient = mailboxKey(String(row['toEmail'] ?? ''));
    const mail = mails.get(String(row['messageId']));
    // A mail that bounced twice for a recipient counts once.
    const once = JSON.stringify([row['messageId'], recipient, kind]);
    if (kind === undefined || !mail?.recipients.has(recipient) || seen.has(once)) continue;
    seen.add(once);
    rateOf(domains, domainOf(recipient))[kind]++;
    rateOf(providers, mail.provider)[kind]++;
  }
  const most = (rates: Map<string, Rate>) =>
    [...rates.values()].sort((a, b) => b.bounced + b.dropped - a.bounced - a.dropped || b.sent - a.sent);
  return { sent, outcomes, domains: most(domains).slice(0, MAX_DOMAINS), providers: most(providers), unmatched };
}

/** The kind of failure for the rates. `failed`, which has no further detail, counts as bounced. */
function rateKind({ outcome }: Row): 'bounced' | 'dropped' | 'complained' | undefined {
  if (outcome === 'failed') return 'bounced';
  return outcome === 'bounced' || outcome === 'dropped' || outcome === 'complained' ? outcome : undefined;
}

function rateOf(rates: Map<string, Rate>, name: string): Rate {
  const rate = rates.get(name) ?? { name, sent: 0, bounced: 0, dropped: 0, complained: 0 };
  rates.set(name, rate);
  return rate;
}

const domainOf = (mailbox: string) => mailbox.slice(mailbox.lastIndexOf('@') + 1);
