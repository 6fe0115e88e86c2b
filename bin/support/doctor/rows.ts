/** Checks: Bounce rows, messages and items that somebody must look at. */
import { paginateQuery } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../../../lambda/aws/dynamodb.ts';
import { readNoNews } from '../../../lambda/recipients/no-news.ts';
import { DAY_PARTITIONS } from '../../../lambda/recording/keys.ts';
import {
  isSuppressed,
  isWaiting,
  NORMAL_WAIT_MS,
  nextAttemptOf,
  oddStatusOf,
  whyStuck,
} from '../../../lambda/sending/stuck.ts';
import { counted } from '../../../local/counted.ts';
import { itemPages, stillWaiting } from '../mail-items.ts';
import { tablesWith } from '../stack-tables.ts';
import type { DoctorContext } from './context.ts';
import { SAMPLE_FULL_MESSAGE_ID } from './sendgrid-webhook.ts';
import { type Check, fix, ok, skipped } from './verdict.ts';

const DAY_MS = 86_400_000;
/** A page is 1 MB. With this limit a check costs less than a cent. */
const MAX_PAGES = 20;

/** Counts unrecognized and unmatched Bounce rows of the last days, by the index byDay, without a scan. */
export function rowCheck({ outputs, client, days }: DoctorContext): Check {
  return {
    name: 'Bounce rows',
    look: async () => {
      if (days === 0) return skipped('--days is 0');
      const counts = { unrecognized: 0, unmatched: 0 };
      let partial = false;
      const count = async (day: string) => {
        let pages = 0;
        for await (const { Items = [], LastEvaluatedKey } of paginateQuery(
          { client },
          {
            TableName: outputs.BounceTableName,
            IndexName: 'byDay',
            KeyConditionExpression: '#day = :day',
            FilterExpression: '#matched = :false AND #fullMessageId <> :sample',
            ProjectionExpression: '#outcome',
            ExpressionAttributeNames: {
              '#day': 'day',
              '#matched': 'matched',
              '#fullMessageId': 'fullMessageId',
              '#outcome': 'outcome',
            },
            ExpressionAttributeValues: { ':day': day, ':false': false, ':sample': SAMPLE_FULL_MESSAGE_ID },
          },
        )) {
          for (const { outcome } of Items) counts[outcome === 'unrecognized' ? 'unrecognized' : 'unmatched']++;
          if (++pages === MAX_PAGES && LastEvaluatedKey !== undefined) partial = true;
          if (partial) return;
        }
      };
      const nowMs = Date.now();
      for (let back = 0; back < days; back++) {
        const day = new Date(nowMs - back * DAY_MS).toISOString().slice(0, 10);
        await Promise.all(Array.from({ length: DAY_PARTITIONS }, (_, n) => count(`${day}#${n}`)));
      }
      const lately = `in the last ${counted(days, 'day')}${partial ? ' (not all rows were read)' : ''}`;
      if (counts.unrecognized + counts.unmatched === 0) return ok(`none is unrecognized or unmatched ${lately}`);
      return fix(
        `${counts.unrecognized} unrecognized, ${counts.unmatched} unmatched ${lately}. \`npm run replay\` tries them again. Rows that stay unmatched are about messages that nobody logged; for rows that stay unrecognized, upgrade Todoke`,
      );
    },
  };
}

/** Finds messages without an event, as a lost webhook leaves them, by the index byDay, without a scan. */
export function noNewsCheck({ outputs, client }: Pick<DoctorContext, 'outputs' | 'client'>): Check {
  return {
    name: 'no news',
    look: async () => {
      const hours = outputs.NoNewsHours;
      const { silent, looked, more } = await readNoNews(tablesWith(outputs, client), Date.now());
      const of = `of ${more ? 'the newest ' : ''}${counted(looked, 'message')} of the day that ended ${counted(hours, 'hour')} ago`;
      if (silent.length === 0) return ok(`none ${of} is without an event`);
      const [first] = silent;
      return fix(
        `${silent.length} ${of} without any event, such as ${String(first?.['messageId'])}. Check that the webhook is on, with the events that docs/deploy.md names. See docs/operations.md#no-news`,
      );
    },
  };
}

/**
 * Counts items that will not be sent unless somebody acts.
 *
 * @param waitMs how long an item may normally be without a status
 */
export function stuckCheck({ outputs, client }: DoctorContext, waitMs = NORMAL_WAIT_MS): Check {
  const table = outputs.MailTableName;
  return {
    name: 'mails',
    look: async () => {
      const waiting: Row[] = [];
      const counts = { looked: 0, stuck: 0, odd: 0, deferred: 0, suppressed: 0 };
      let pages = 0;
      let partial = false;
      for await (const { items, looked, isLast } of itemPages(client, table, { consistent: false })) {
        const nowMs = Date.now();
        counts.looked += looked;
        counts.stuck += items.filter((item) => whyStuck(item, nowMs) !== undefined && !isSuppressed(item)).length;
        counts.suppressed += items.filter(isSuppressed).length;
        counts.odd += items.filter((item) => oddStatusOf(item) !== undefined).length;
        counts.deferred += items.filter((item) => nextAttemptOf(item, nowMs) !== undefined).length;
        waiting.push(...items.filter(({ status }) => isWaiting(status)));
        partial = ++pages === MAX_PAGES && !isLast;
        if (partial) break;
      }
      counts.stuck += (await stillWaiting(client, table, waiting, waitMs)).length;
      const of = `of ${counted(counts.looked, 'item')}${partial ? ' (not all items were read)' : ''}`;
      const deferred = counts.deferred === 0 ? '' : `; ${counts.deferred} deferred, which Todoke tries again`;
      const suppressed =
        counts.suppressed === 0 ? '' : `; ${counts.suppressed} not sent, because all their recipients are suppressed`;
      if (counts.stuck + counts.odd === 0) return ok(`none stuck, ${of}${deferred}${suppressed}`);
      const odd = counts.odd === 0 ? '' : `; ${counts.odd} with a status that Todoke never writes, which are not sent`;
      return fix(
        `${counts.stuck} stuck, ${of}${odd}${deferred}${suppressed}: \`npm run resend -- --dry-run\` shows why each is stuck. Fix the causes, then run \`npm run resend -- --all\``,
      );
    },
  };
}
