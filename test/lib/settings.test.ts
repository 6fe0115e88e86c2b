import { App } from 'aws-cdk-lib';
import { expect, onTestFinished, test, vi } from 'vitest';
import { consoleSettings, settingsFromContext } from '../../lib/settings.ts';
import { codes, firstTable, readPage, section } from '../docs/pages.ts';
import { temporaryFolder } from '../temporary.ts';

const deploying = await readPage('docs/deploy.md');

const settings = (context: Record<string, unknown>) =>
  settingsFromContext(new App({ context, outdir: temporaryFolder() }).node);

test('without context every setting has its documented default', () => {
  const rows = firstTable(section(deploying, '## Deploy it'));
  const documented = rows.flatMap(([name, value]) => {
    const [given] = codes(value);
    return given === undefined ? [] : [[codes(name)[0], /^\d+$/.test(given) ? Number(given) : given]];
  });
  expect(rows).toHaveLength(17);
  expect(settings({})).toEqual(Object.fromEntries(documented));
});

const CONSOLE = { consoleIssuer: 'https://openid.example.com', consoleClientId: 'id' };

test("the console's lists are lists or comma-separated texts, and without any it admits nobody", () => {
  const lists = { consoleReaders: 'a@example.com, @example.com,', consoleOperators: ['group:Mail support'] };
  const lead = { issuer: CONSOLE.consoleIssuer, clientId: 'id' };
  expect(consoleSettings(settings({ ...CONSOLE, ...lists }))).toEqual({
    ...lead,
    readers: ['a@example.com', '@example.com'],
    operators: ['group:Mail support'],
  });
  expect(consoleSettings(settings(CONSOLE))).toEqual({ ...lead, readers: [], operators: [] });
  expect(consoleSettings(settings({}))).toBeUndefined();
});

test('numbers may be numbers, or strings as -c passes them', () => {
  expect(settings({ retentionDays: '0' }).retentionDays).toBe(0);
  expect(settings({ retentionDays: 30 }).retentionDays).toBe(30);
});

test("the CDK's own context is ignored", () => {
  expect(() =>
    settings({ '@aws-cdk/core:newStyleStackSynthesis': true, 'aws:cdk:bundling-stacks': [], 'cli-telemetry': false }),
  ).not.toThrow();
});

test.each([
  [{ retentionDay: 5 }, /there is no setting retentionDay; the settings are stackName, retentionDays/],
  [{ retentionDays: 'long' }, /retentionDays must be a whole number, got "long"/],
  [{ retentionDays: -1 }, /retentionDays .*got -1/],
  [{ logRetentionDays: 10 }, /logRetentionDays must be one of 1, 3, 5, 7/],
  [{ customersMailCloudTimeZone: 'Tokyo' }, /customersMailCloudTimeZone must be an IANA time zone.*got "Tokyo"/],
  [{ sendgridRegion: 'us' }, /sendgridRegion must be global or eu, got "us"/],
  [{ apiGatewayAccountRole: 'yes' }, /apiGatewayAccountRole must be create or existing, got "yes"/],
  [{ providers: 'none' }, /providers must be both, sendgrid or customers-mail-cloud, got "none"/],
  [{ sendgridReceiverReservedConcurrency: '0' }, /sendgridReceiverReservedConcurrency must be at least 1/],
  [{ customersMailCloudReceiverReservedConcurrency: 0 }, /customersMailCloudReceiverReserved\S+ must be at least 1/],
  [{ recordEventsMaximumConcurrency: '1' }, /recordEventsMaximumConcurrency must be at least 2, got "1"/],
  [{ recordEventsMaximumConcurrency: 1001 }, /recordEventsMaximumConcurrency must be at most 1000, got 1001/],
  [{ publishFailures: true }, /publishFailures must be on or off, got true/],
  [{ suppression: 'no' }, /suppression must be on or off, got "no"/],
  [{ noNewsHours: 0 }, /noNewsHours must be at least 1, got 0/],
  [{ alarmEmail: 'you' }, /alarmEmail must be an e-mail address, got "you"/],
  [{ stackName: 'to doke' }, /stackName must start with a letter/],
  [{ consoleIssuer: 'https://openid.example.com' }, /consoleIssuer alone: a console needs both consoleIssuer and/],
  [{ consoleClientId: 'id' }, /consoleClientId alone/],
  [{ consoleReaders: '@example.com' }, /consoleReaders alone/],
  [{ consoleIssuer: 'http://openid.example.com', consoleClientId: 'id' }, /consoleIssuer must be a URL that starts/],
  [
    { consoleIssuer: 'https://login.microsoftonline.com/common/v2.0', consoleClientId: 'id' },
    /consoleIssuer must be the issuer of your own tenant/,
  ],
  [
    { ...CONSOLE, consoleReaders: 'everybody' },
    /must be an address, a domain such as @example.com, or a group such as group:mail-support/,
  ],
  [
    { ...CONSOLE, consoleReaders: ['@'] },
    /must be an address, a domain such as @example.com, or a group such as group:mail-support/,
  ],
  [{ ...CONSOLE, consoleReaders: `@${'x'.repeat(1_000)}` }, /admit a group instead/],
])('%o is refused, and the error names the setting and the allowed values', (context, message) => {
  expect(() => settings(context)).toThrow(message);
});

test('a bad setting ends the app with one sentence, without a stack trace', async () => {
  vi.stubEnv('CDK_CONTEXT_JSON', '{"retentionDays":"long"}');
  vi.stubEnv('CDK_OUTDIR', temporaryFolder());
  const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never);
  const printed = vi.spyOn(console, 'error').mockReturnValue();
  onTestFinished(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });
  await import('../../bin/todoke.ts');
  expect(exit.mock.calls).toEqual([[1]]);
  expect(printed.mock.calls).toEqual([
    ['Cannot use the settings in the CDK context: retentionDays must be a whole number, got "long"'],
  ]);
});
