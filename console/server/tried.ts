/** Reads the rows that a post of the view Try made. */
import { batchGet } from '../../lambda/aws/dynamodb.ts';
import type { MailEvent } from '../../lambda/mail/event.ts';
import { PROVIDER_EVENTS } from '../../lambda/providers/events.ts';
import { queryPartition, type Tables } from '../../lambda/recipients/tables.ts';
import { withStorableKeys } from '../../lambda/recording/keys.ts';
import { type Answered, type Asked, bounce, bounceKey, type SamplePost, triedEvent } from '../shared/api.ts';

/** Any time zone: rows are not looked up by time. */
const ANY_TIME_ZONE = 'UTC';
const MAX_STORIES = 50;
const MAX_EVENTS = 500;

/** The rows that a post makes. Their keys follow from its events. */
export async function rowsOf(tables: Tables, post: Asked<'rowsOf'>): Promise<Answered<'rowsOf'>> {
  const events = eventsIn(post);
  const kept = events.filter((event) => event.kind !== 'ignored');
  const keys = new Map(
    kept
      .filter((event) => event.kind !== 'progress')
      .map(({ fullMessageId, eventId }) => [bounceKey({ fullMessageId, eventId }), { fullMessageId, eventId }]),
  );
  const rows = await batchGet(tables.client, tables.bounce, [...keys.values()].slice(0, MAX_EVENTS), {
    consistent: true,
    signal: AbortSignal.timeout(10_000),
  });
  const ids = new Set(kept.flatMap((event) => ('messageIds' in event ? event.messageIds : [])));
  const eventIds = new Set(kept.map(({ eventId }) => eventId));
  const stories = await Promise.all(
    [...ids]
      .slice(0, MAX_STORIES)
      .map((id) => queryPartition(tables.client, tables.sentLog, ['messageId', id], MAX_EVENTS)),
  );
  const storyRows = stories.flatMap((story) => story.rows).filter((row) => eventIds.has(String(row['eventId'])));
  const inStories = new Set(storyRows.map((row) => String(row['eventId'])));
  const toStories = new Set(kept.flatMap((event) => (hasStory(event) ? [event.eventId] : [])));
  const missingEvents = [...toStories].filter((eventId) => !inStories.has(eventId)).length;
  return {
    bounces: rows.map((row) => bounce.parse(row)),
    events: storyRows.map((row) => triedEvent.parse(row)),
    missing: Math.min(keys.size, MAX_EVENTS) - rows.length + (ids.size > MAX_STORIES ? 0 : missingEvents),
    ignored: events.length - kept.length,
  };
}

/** Whether the event goes into the story of a mail. */
function hasStory(event: MailEvent): boolean {
  return (event.kind === 'failure' || event.kind === 'progress') && event.messageIds.length > 0;
}

function eventsIn({ provider, contentType, body }: SamplePost): MailEvent[] {
  const request = { method: 'POST', headers: { 'content-type': contentType }, body: Buffer.from(body) };
  try {
    const { parse, normalize } = PROVIDER_EVENTS[provider];
    return parse(request).map((event) => withStorableKeys(normalize(event, ANY_TIME_ZONE)));
  } catch {
    // The receiver's answer says what is wrong with the post.
    return [];
  }
}
