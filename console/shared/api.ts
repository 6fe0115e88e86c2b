/** The calls of the page and their answers. Page and server check both by these schemas. */
import * as z from 'zod/mini';
import { PROVIDERS } from '../../lambda/mail/provider.ts';
import { BOUNCE_CLASSES, CAUSES, OUTCOMES } from '../../lambda/mail/verdict.ts';

/** Other programs may have written any value into any attribute. A value that is not a text counts as missing. */
const text = z.catch(z.optional(z.string()), undefined);
const isoTime = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/));

/** The values of `outcome` in Bounce rows. */
export const ROW_OUTCOMES = [...OUTCOMES, 'blocklisted', 'unrecognized'] as const;

/** The outcomes that the overview counts. A block list change is not about a mail. */
export const COUNTED_OUTCOMES = [...OUTCOMES, 'unrecognized'] as const;
export type CountedOutcome = (typeof COUNTED_OUTCOMES)[number];

const address = z.object({ email: z.string(), name: z.exactOptional(z.string()) });

/** The position where a list continues. The page does not look into it. */
const cursor = z.union([
  z.object({
    day: z.string(),
    partitions: z.array(z.union([z.null(), z.literal('end'), z.record(z.string(), z.string())])),
  }),
  z.object({ key: z.record(z.string(), z.string()) }),
]);
export type Cursor = z.infer<typeof cursor>;

/** An event in the story of a mail. */
export const storyEvent = z.looseObject({
  entry: z.string(),
  state: z.catch(z.string(), ''),
  recipient: text,
  reason: text,
  fullMessageId: text,
  eventId: text,
});
export type StoryEvent = z.infer<typeof storyEvent>;

/** A recipient of a mail, and its state. */
const recipientState = z.object({
  email: z.string(),
  name: z.exactOptional(z.string()),
  field: z.exactOptional(z.enum(['to', 'cc', 'bcc'])),
  state: z.string(),
});
export type RecipientState = z.infer<typeof recipientState>;

/** A mail that was sent: its log row, and its recipients' states. `more`: not all of its events were read. */
const listedMail = z.object({
  messageId: z.string(),
  sentAt: z.string(),
  provider: text,
  mailId: text,
  subject: text,
  from: z.optional(address),
  to: z.array(address),
  states: z.array(recipientState),
  more: z.boolean(),
});
export type ListedMail = z.infer<typeof listedMail>;

/** A mail to one recipient, with details of its state. */
const recipientMail = z.extend(listedMail, {
  occurredAt: text,
  reason: text,
  bounceClass: text,
});
export type RecipientMail = z.infer<typeof recipientMail>;

export const mailFilter = z.object({
  provider: z.optional(z.enum(PROVIDERS)),
  from: z.optional(isoTime),
  to: z.optional(isoTime),
});
export type MailFilter = z.infer<typeof mailFilter>;

/**
 * An item of the Mail table. `stuck`: why it will not be sent unless somebody acts. `nextAttemptAt`: when a deferred item is
 * tried again. `odd`: what is wrong with a status that Todoke never writes.
 */
const mailItem = z.object({
  id: z.string(),
  status: z.string(),
  provider: text,
  from: z.optional(address),
  to: z.array(address),
  subject: text,
  error: text,
  messageId: text,
  sentAt: text,
  /** When it was last sent again, by the page or by `npm run resend`. */
  resentAt: text,
  stuck: text,
  nextAttemptAt: text,
  odd: text,
});
export type MailItem = z.infer<typeof mailItem>;

/** A Bounce row, whole. */
export const bounce = z.looseObject({
  fullMessageId: z.string(),
  eventId: z.string(),
  occurredAt: z.catch(z.string(), ''),
  receivedAt: text,
  messageId: text,
  mailId: text,
  provider: text,
  event: text,
  type: text,
  outcome: text,
  bounceClass: text,
  cause: text,
  smtpCode: text,
  enhancedStatusCode: text,
  reason: text,
  toEmail: text,
  toName: text,
  fromEmail: text,
  fromName: text,
  subject: text,
  rawEvent: text,
  matched: z.catch(z.boolean(), false),
});
export type Bounce = z.infer<typeof bounce>;

/** The key of a Bounce row as a text. */
export const bounceKey = (row: { readonly fullMessageId?: unknown; readonly eventId?: unknown }): string =>
  JSON.stringify([row.fullMessageId, row.eventId]);

export const bounceFilter = z.object({
  outcome: z.optional(z.enum(ROW_OUTCOMES)),
  bounceClass: z.optional(z.enum(BOUNCE_CLASSES)),
  cause: z.optional(z.enum(CAUSES)),
  provider: z.optional(z.enum(PROVIDERS)),
  /** An address, a message id, or a full message id. */
  search: z.optional(z.string().check(z.maxLength(2_100))),
  from: z.optional(isoTime),
  to: z.optional(isoTime),
});
export type BounceFilter = z.infer<typeof bounceFilter>;

/** A part of a list to load again: the rows between these times, both included. */
const range = z.object({
  from: z.string().check(z.maxLength(100)),
  to: z.optional(z.string().check(z.maxLength(100))),
});
export type Range = z.infer<typeof range>;

const listStart = { cursor: z.optional(cursor), range: z.optional(range) };
/** `back`: the time down to which rows were looked for. `cursor`: where the list continues, if it does. */
const listEnd = { cursor: z.optional(cursor), back: z.optional(z.string()) };

const rate = z.object({
  name: z.string(),
  sent: z.number(),
  bounced: z.number(),
  dropped: z.number(),
  complained: z.number(),
});
export type Rate = z.infer<typeof rate>;

const samplePost = z.object({ provider: z.enum(PROVIDERS), contentType: z.string(), body: z.string() });
export type SamplePost = z.infer<typeof samplePost>;
/** A post as its provider documents it, named in the languages of the page. */
export const sample = z.object({
  name: z.object({ en: z.string(), ja: z.string() }),
  source: z.string(),
  ...samplePost.shape,
});
export type Sample = z.infer<typeof sample>;

/** Why an address gets no mail. */
const suppressed = z.nullable(
  z.object({ since: z.string(), reason: z.string(), by: z.enum(['bounce', 'complaint', 'decision']) }),
);

const nothing = z.object({});

const forgetPosition = z.object({
  table: z.enum(['mail', 'sentLog', 'bounce']),
  key: z.optional(z.record(z.string(), z.string())),
});

/** An event that a post put into a story. */
export const triedEvent = z.extend(storyEvent, { messageId: z.string() });

/**
 * Who may make a call. `engineer`: a person who runs the console with their own AWS credentials, or in local mode. The IAM
 * role of the deployed function has no permissions for the calls of engineers.
 */
export type Role = 'reader' | 'operator' | 'engineer';

/**
 * Each call by its name: who may make it, its request and its answer. The access log has a line for each call with `logged`,
 * that is, for every search and every change. The address in it comes from `email`, `text` or the filter.
 */
export const CALLS = {
  session: {
    role: 'reader',
    request: nothing,
    response: z.object({
      /** `deployed`: over a deployed stack, on an engineer's machine; `team`: served by the stack. */
      mode: z.enum(['local', 'deployed', 'team']),
      /** Whether new mails may be sent. */
      canSend: z.boolean(),
      /** Whether the calls of operators may be made, such as to send an item again. */
      canOperate: z.boolean(),
      canTry: z.boolean(),
      tables: z.object({ mail: z.string(), sentLog: z.string(), bounce: z.string() }),
    }),
  },
  mails: {
    role: 'reader',
    /** `many`: more rows per answer, of which a filter of the page hides some. */
    request: z.object({ filter: z.optional(mailFilter), many: z.optional(z.boolean()), ...listStart }),
    response: z.object({ rows: z.array(listedMail), ...listEnd }),
  },
  /** The mails to an address, newest first. With `silent`, the mails of the last days without an event. */
  recipient: {
    role: 'reader',
    logged: true,
    request: z.object({
      email: z.string().check(z.maxLength(2_100)),
      silent: z.optional(z.boolean()),
      cursor: z.optional(z.array(z.union([z.null(), z.literal('end'), z.record(z.string(), z.string())]))),
    }),
    response: z.object({
      /** In the form in which addresses are compared and looked up. */
      email: z.string(),
      suppressed,
      mails: z.array(recipientMail),
      cursor: z.optional(z.array(z.union([z.null(), z.literal('end'), z.record(z.string(), z.string())]))),
    }),
  },
  /** Suppresses or allows an address. */
  decide: {
    role: 'operator',
    logged: true,
    request: z.object({ email: z.string().check(z.maxLength(2_100)), outcome: z.enum(['suppressed', 'allowed']) }),
    response: z.object({ suppressed }),
  },
  /** The view for an address, a message id or an item's id, and the open item in it. */
  search: {
    role: 'reader',
    logged: true,
    request: z.object({ text: z.string().check(z.maxLength(2_100)) }),
    response: z.object({ view: z.enum(['recipient', 'mail']), open: z.array(z.string()) }),
  },
  unsent: {
    role: 'reader',
    request: z.object({ cursor: z.optional(cursor) }),
    response: z.object({ items: z.array(mailItem), looked: z.number(), cursor: z.optional(cursor) }),
  },
  story: {
    role: 'reader',
    logged: true,
    request: z.object({ messageId: z.optional(z.string()), id: z.optional(z.string()) }),
    response: z.object({
      log: z.optional(listedMail),
      item: z.optional(mailItem),
      events: z.array(storyEvent),
      bounces: z.array(bounce),
      more: z.boolean(),
    }),
  },
  bounces: {
    role: 'reader',
    logged: true,
    request: z.object({ filter: bounceFilter, ...listStart }),
    response: z.object({ rows: z.array(bounce), ...listEnd }),
  },
  overview: {
    role: 'reader',
    /** The edges of the chart's columns, oldest first. */
    request: z.object({
      edges: z.array(isoTime).check(z.minLength(2), z.maxLength(200)),
    }),
    response: z.object({
      sent: z.array(z.number()),
      outcomes: z.record(z.enum(COUNTED_OUTCOMES), z.array(z.number())),
      domains: z.array(rate),
      providers: z.array(rate),
      unmatched: z.number(),
      /** Set if not all rows could be read. Then only rows from this time on are counted. */
      countedFrom: z.optional(z.string()),
    }),
  },
  send: {
    role: 'engineer',
    request: z.object({
      provider: z.string(),
      from: z.string(),
      to: z.array(z.string()),
      subject: z.string(),
      content: z.string(),
    }),
    response: z.object({ id: z.string() }),
  },
  /** Counts or erases everything about a person for some seconds. The next call continues at `position`, if there is one. */
  forget: {
    role: 'operator',
    logged: true,
    request: z.object({
      email: z.string().check(z.minLength(3), z.maxLength(2_100)),
      /** Without it nothing is changed. */
      erases: z.boolean(),
      position: z.optional(forgetPosition),
    }),
    response: z.object({
      /** Rows that were read. */
      read: z.number(),
      /** Rows about the person. They are erased, or their part about the person is. */
      rows: z.number(),
      /** How many of `rows` were not erased, because somebody changed them meanwhile. */
      changed: z.number(),
      /** Rows in which the address stays, as the sender or in a text. A person must decide about them. */
      stays: z.array(z.object({ table: z.string(), key: z.string() })),
      position: z.optional(forgetPosition),
    }),
  },
  resend: {
    role: 'operator',
    logged: true,
    request: z.object({ id: z.string() }),
    response: z.object({ again: z.boolean() }),
  },
  samples: { role: 'engineer', request: nothing, response: z.object({ samples: z.array(sample) }) },
  post: { role: 'engineer', request: samplePost, response: z.object({ status: z.number(), answer: z.string() }) },
  /** The events that were put on the event bus for a Bounce row, in local mode. */
  published: {
    role: 'engineer',
    request: z.object({ fullMessageId: z.string(), eventId: z.string() }),
    response: z.object({ events: z.array(z.object({ time: z.string(), detailType: z.string() })) }),
  },
  /** The rows that a post makes, as they are now. */
  rowsOf: {
    role: 'engineer',
    request: samplePost,
    response: z.object({
      bounces: z.array(bounce),
      events: z.array(triedEvent),
      /** How many rows of the post are not there yet. */
      missing: z.number(),
      ignored: z.number(),
    }),
  },
} as const satisfies Record<string, CallShape>;

interface CallShape {
  readonly role: Role;
  readonly logged?: true;
  readonly request: z.ZodMiniType;
  readonly response: z.ZodMiniType;
}

export type CallName = keyof typeof CALLS;
export type Asked<Name extends CallName> = z.infer<(typeof CALLS)[Name]['request']>;
export type Answered<Name extends CallName> = z.infer<(typeof CALLS)[Name]['response']>;

/** What the page may do, and over which tables. */
export type Session = Answered<'session'>;

/** A header of every call. Browsers send it from another site only if the server allows that, which it never does. */
export const CONSOLE_HEADER = 'x-todoke-console';

/** What the page needs for the sign-in, as JSON in the attribute `data-sign-in` of its root element. */
export const signIn = z.object({
  issuer: z.string(),
  clientId: z.string(),
  authorizationEndpoint: z.string(),
  tokenEndpoint: z.string(),
  endSessionEndpoint: z.optional(z.string()),
});
export type SignIn = z.infer<typeof signIn>;
