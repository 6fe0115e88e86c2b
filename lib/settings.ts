/** Reads and validates the settings of a deployment. */
import type { Node } from 'constructs';
import * as z from 'zod';
import { PROVIDERS } from '../lambda/mail/provider.ts';

const timeZone = z.string().refine(
  (zone) => {
    try {
      new Intl.DateTimeFormat('en', { timeZone: zone });
      return true;
    } catch {
      return false;
    }
  },
  { error: 'must be an IANA time zone, such as Asia/Tokyo or UTC' },
);

/** CloudWatch Logs accepts only these retention times. */
const LOG_RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** A number, or a string of one: `-c name=value` gives strings, and cdk.json may have numbers. */
const wholeNumber = z
  .union([z.number(), z.string().regex(/^\d+$/, 'must be a whole number').transform(Number)], {
    error: 'must be a whole number',
  })
  .pipe(z.number().int().min(0, 'must not be negative'));

/** The addresses of SendGrid's API, by the region of the account. */
export const SENDGRID_API_URLS = { global: 'https://api.sendgrid.com', eu: 'https://api.eu.sendgrid.com' } as const;
export const sendGridRegion = z.enum(['global', 'eu'], { error: 'must be global or eu' });

/** An address; `@` with a domain; or `group:` with the name of a group. */
const member = z
  .string()
  .regex(
    /^(?:[^\s@:,]+@|@)[^\s@:,]+$|^group:\S.*$/,
    'must be an address, a domain such as @example.com, or a group such as group:mail-support',
  );

/**
 * A text with commas, or a list in cdk.json. It is written into the function's environment, which is limited to 4 KB.
 */
const members = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(','))])
  .transform((all) => all.map((one) => one.trim()).filter((one) => one !== ''))
  .pipe(z.array(member))
  .refine((all) => all.join().length <= 1_000, { error: 'must have at most 1,000 characters: admit a group instead' })
  .optional();

/** These issuers sign in people of any tenant. An address in their tokens may be false. */
const MANY_TENANTS = /login\.microsoftonline\.com\/(common|organizations|consumers|\{)/;

const settingsSchema = z.strictObject({
  /** The CloudFormation stack's name, and the first part of every generated name. */
  stackName: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,49}$/, 'must start with a letter and have at most 50 letters, digits and hyphens')
    .default('Todoke'),
  /** After this many days rows expire; 0 keeps them forever. */
  retentionDays: wholeNumber.pipe(z.number().max(36_500, 'must be at most 36500')).default(180),
  /** The time zone of the Customers Mail Cloud account. Its times, `created`, have no offset. */
  customersMailCloudTimeZone: timeZone.default('Asia/Tokyo'),
  logRetentionDays: wholeNumber
    .refine((days) => LOG_RETENTION_DAYS.includes(days), {
      error: `must be one of ${LOG_RETENTION_DAYS.join(', ')}`,
    })
    .default(90),
  /** Whose webhooks the stack receives. A provider that is left out has no public address. */
  providers: z.enum(['both', ...PROVIDERS], { error: `must be both, ${PROVIDERS.join(' or ')}` }).default('both'),
  /** Reserved concurrency of SendGrid's receiver; none is reserved if left out. */
  sendgridReceiverReservedConcurrency: wholeNumber.pipe(z.number().min(1, 'must be at least 1')).optional(),
  /** Reserved concurrency of Customers Mail Cloud's receiver; none is reserved if left out. */
  customersMailCloudReceiverReservedConcurrency: wholeNumber.pipe(z.number().min(1, 'must be at least 1')).optional(),
  /** Limit for invocations of record-events at the same time. */
  recordEventsMaximumConcurrency: wholeNumber
    .pipe(z.number().min(2, 'must be at least 2').max(1000, 'must be at most 1000'))
    .default(5),
  /** The address that gets a mail when an alarm fires; none if left out. */
  alarmEmail: z.email('must be an e-mail address').optional(),
  /** After this many hours a message without any event is "no news". */
  noNewsHours: wholeNumber.pipe(z.number().min(1, 'must be at least 1').max(720, 'must be at most 720')).default(4),
  /** Whether failures are published on the account's default event bus. */
  publishFailures: z.enum(['on', 'off'], { error: 'must be on or off' }).default('on'),
  /** Whether send-mail leaves suppressed recipients out. */
  suppression: z.enum(['on', 'off'], { error: 'must be on or off' }).default('on'),
  /** The region of the SendGrid account. */
  sendgridRegion: sendGridRegion.default('global'),
  /** API Gateway writes access logs with one role per account and region: `create` it, or use the `existing` one. */
  apiGatewayAccountRole: z.enum(['create', 'existing'], { error: 'must be create or existing' }).default('create'),
  /**
   * The OpenID provider that signs people in to the console: `iss` of its tokens. If left out, no console is deployed.
   */
  consoleIssuer: z
    .url({ protocol: /^https$/, error: 'must be a URL that starts with https://' })
    .refine((issuer) => !MANY_TENANTS.test(issuer), { error: 'must be the issuer of your own tenant' })
    .optional(),
  /** The client id with which the console is registered at that provider. */
  consoleClientId: z.string().min(1, 'must not be empty').optional(),
  /** Who may only read in the console; nobody if left out. */
  consoleReaders: members,
  /** Who may also make changes; nobody if left out. */
  consoleOperators: members,
});

/** The settings of the console for a team. */
export interface ConsoleSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly readers: readonly string[];
  readonly operators: readonly string[];
}

/** The settings of the console for a team; undefined if none is deployed. */
export function consoleSettings(settings: Settings): ConsoleSettings | undefined {
  const { consoleIssuer: issuer, consoleClientId: clientId, consoleReaders = [], consoleOperators = [] } = settings;
  if (issuer === undefined || clientId === undefined) return undefined;
  return { issuer, clientId, readers: consoleReaders, operators: consoleOperators };
}

/** Thrown for settings that are wrong or unknown. The message says what is allowed. */
export class SettingsError extends Error {}

export type Settings = z.infer<typeof settingsSchema>;

/** Whether a key of the context is the CDK's own: a feature flag, a setting of its command line, or a cached lookup. */
const isCdkContext = (key: string) => /[:/@]/.test(key) || key.startsWith('cli-') || key.startsWith('aws');

/**
 * The settings from the CDK context (`-c name=value`, or `context` in cdk.json).
 *
 * @throws SettingsError
 */
export function settingsFromContext(node: Node): Settings {
  const context: Record<string, unknown> = node.getAllContext();
  const given = Object.fromEntries(Object.entries(context).filter(([key]) => !isCdkContext(key)));
  const result = settingsSchema.safeParse(given);
  if (result.success) {
    refuseHalfAConsole(result.data);
    return result.data;
  }
  const problems = result.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `there is no setting ${issue.keys.join(', ')}; the settings are ${Object.keys(settingsSchema.shape).join(', ')}`
      : `${issue.path.join('.')} ${issue.message}, got ${JSON.stringify(given[String(issue.path[0])])}`,
  );
  throw new SettingsError(`Cannot use the settings in the CDK context: ${problems.join('; ')}`);
}

function refuseHalfAConsole(settings: Settings): void {
  if (consoleSettings(settings) !== undefined) return;
  const { consoleIssuer, consoleClientId, consoleReaders, consoleOperators } = settings;
  const given = { consoleIssuer, consoleClientId, consoleReaders, consoleOperators };
  const [alone] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
  if (alone === undefined) return;
  throw new SettingsError(
    `Cannot use the setting ${alone} alone: a console needs both consoleIssuer and consoleClientId, and without them none is deployed`,
  );
}
