import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
/** The doctor's checks of what local mode lacks (Lambda, CloudWatch, backups, a long queue), with prepared answers. */
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { alarmVerdict } from '../../bin/support/doctor/alarms.ts';
import { queueChecks } from '../../bin/support/doctor/queues.ts';
import { rowCheck, stuckCheck } from '../../bin/support/doctor/rows.ts';
import { secretChecks } from '../../bin/support/doctor/secret-checks.ts';
import { smtpVerdict } from '../../bin/support/doctor/smtp.ts';
import { streamProblems } from '../../bin/support/doctor/streams.ts';
import { tableChecks } from '../../bin/support/doctor/table-checks.ts';
import { webhookChecks } from '../../bin/support/doctor/webhooks.ts';
import { DAY_PARTITIONS } from '../../lambda/recording/keys.ts';
import { ALL_SUPPRESSED } from '../../lambda/sending/stuck.ts';
import { listen } from '../../local/ports.ts';
import { issueLocalCertificate } from '../../local/simulators/certificate.ts';
import { ACCOUNT, startMailServer, startScriptedServer } from '../lambda/providers/smtp.ts';
import { temporaryFolder } from '../temporary.ts';

const certificate = await issueLocalCertificate();

const settings = { region: 'ap-northeast-1', credentials: { accessKeyId: 'tests', secretAccessKey: 'tests' } };

/** A client that returns a prepared answer for each command, by its name, and sends nothing. */
function canned<Client extends DynamoDBClient | LambdaClient | CloudWatchClient>(
  client: Client,
  answers: Readonly<Record<string, object>>,
): Client {
  client.middlewareStack.add(
    (_next, { commandName = '' }: { commandName?: string }) =>
      async () => {
        const answer = answers[commandName];
        if (answer === undefined) throw new Error(`no answer for ${commandName}`);
        return { output: { $metadata: {}, ...answer }, response: {} };
      },
    { step: 'initialize', priority: 'high' },
  );
  return client;
}

const table = (change: object = {}) => ({
  DescribeTableCommand: {
    Table: {
      TableStatus: 'ACTIVE',
      KeySchema: [{ AttributeName: 'id' }],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
      LatestStreamArn: 'arn:aws:dynamodb:::table/Mail/stream/1',
      ...change,
    },
  },
});

function contextWith(answers: Readonly<Record<string, object>>) {
  const dynamo = canned(new DynamoDBClient(settings), answers);
  const name = 'x';
  const outputs = {
    MailTableName: name,
    SentLogTableName: name,
    BounceTableName: name,
    SendGridWebhookUrl: name,
    CustomersMailCloudWebhookUrl: name,
    WebhookSecretName: name,
    SenderSecretName: name,
    SendGridRegion: 'global' as const,
    NoNewsHours: 4,
  };
  const client = DynamoDBDocumentClient.from(dynamo);
  return { name, outputs, local: false, dynamo, client, sendGrid: undefined, days: 0 };
}

describe('a table in AWS', () => {
  const look = (answers: Readonly<Record<string, object>>) => tableChecks(contextWith(answers))[0]?.look();

  test('is healthy if everything is as deployed', async () => {
    expect(await look(table())).toMatchObject({ state: 'ok' });
  });

  test.each([
    ['it is being deleted', table({ TableStatus: 'DELETING' }), /it is DELETING$/],
    ['it has no stream', table({ StreamSpecification: undefined }), /its stream is off, not NEW_IMAGE$/],
  ])('is not healthy if %s', async (_, answers, words) => {
    expect(await look(answers)).toMatchObject({ state: 'fix', says: expect.stringMatching(words) });
  });
});

describe('streams', () => {
  const FunctionArn = 'arn:aws:lambda:ap-northeast-1:000000000000:function:SendMail';
  const mapping = (change: object) => ({
    ListEventSourceMappingsCommand: { EventSourceMappings: [{ State: 'Enabled', FunctionArn, ...change }] },
  });
  const problems = (lambda: Record<string, object>, dynamo = table()) =>
    streamProblems(
      { Mail: 'x' },
      { dynamo: canned(new DynamoDBClient(settings), dynamo), lambda: canned(new LambdaClient(settings), lambda) },
    );

  test('an enabled mapping', async () => {
    expect(await problems(mapping({}))).toEqual([]);
  });

  test.each([
    ['a disabled mapping', mapping({ State: 'Disabled' }), /the event source mapping of Mail is Disabled/],
    [
      'a function that fails',
      mapping({ LastProcessingResult: 'PROBLEM: Function call failed' }),
      /reports PROBLEM: Function call failed/,
    ],
    ['no reader', { ListEventSourceMappingsCommand: {} }, /nothing reads the stream of Mail/],
  ])('are something to fix with %s', async (_, lambda, words) => {
    expect(await problems(lambda)).toEqual([expect.stringMatching(words)]);
  });

  test('no stream at all', async () => {
    expect(await problems(mapping({}), table({ LatestStreamArn: undefined }))).toEqual([
      'Mail has no stream: deploy again',
    ]);
  });
});

describe('the SMTP account', () => {
  const verdictAt = async (port: number, account: Partial<typeof ACCOUNT> = {}) => {
    const outputs = {
      ...contextWith({}).outputs,
      SendGridApiUrl: 'http://127.0.0.1',
      SmtpUrl: `smtp://127.0.0.1:${port}`,
    };
    const SmtpCaFile = join(temporaryFolder(), 'ca.pem');
    await writeFile(SmtpCaFile, certificate.ca);
    return smtpVerdict({ host: '127.0.0.1', port, ...ACCOUNT, ...account }, { ...outputs, SmtpCaFile });
  };

  test('is checked by a sign-in over TLS, and nothing is sent', async () => {
    const server = await startMailServer(certificate);
    onTestFinished(() => server.close());
    expect(await verdictAt(server.port)).toEqual({ state: 'ok', says: `signed in at 127.0.0.1:${server.port}` });
    expect([server.logins(), server.messages]).toEqual([1, []]);
  });

  test('that the server refuses is reported', async () => {
    const server = await startMailServer(certificate);
    onTestFinished(() => server.close());
    const { state, says } = await verdictAt(server.port, { password: 'wrong' });
    expect(state).toBe('fix');
    expect(says).toMatch(/refuses the SMTP user or its password \(535 .*npm run setup -- --replace/);
    expect(says).not.toContain('wrong');
  });

  test('whose server offers no TLS is reported, and no password is sent', async () => {
    const server = await startScriptedServer({ EHLO: '250 mail.example.com', QUIT: 'end' });
    onTestFinished(() => server.close());
    expect(await verdictAt(server.port)).toMatchObject({
      state: 'fix',
      says: expect.stringMatching(/check host and port/),
    });
    expect(server.heard()).not.toContain('AUTH');
  });

  test('whose server has an untrusted certificate is reported', async () => {
    const server = await startMailServer(await issueLocalCertificate());
    onTestFinished(() => server.close());
    expect(await verdictAt(server.port)).toMatchObject({ state: 'fix', says: expect.stringMatching(/certificate/) });
    expect(server.logins()).toBe(0);
  });

  test('of a real server is not checked in local mode', async () => {
    const outputs = { ...contextWith({}).outputs, SendGridApiUrl: 'http://127.0.0.1', SmtpUrl: 'smtp://127.0.0.1:25' };
    for (const account of [
      { host: 'smtp.example', port: 25 },
      { host: 'localhost', port: 587 },
    ]) {
      expect(await smtpVerdict({ ...ACCOUNT, ...account }, outputs)).toMatchObject({ state: 'skipped' });
    }
  });
});

test('an API key that SendGrid does not accept is reported', async () => {
  const value = { sendgridApiKey: 'SG.revoked.key' };
  vi.spyOn(SecretsManagerClient.prototype, 'send').mockImplementation(async () => ({
    SecretString: JSON.stringify(value),
  }));
  const server = createServer((_, response) => {
    response
      .writeHead(401)
      .end(JSON.stringify({ errors: [{ message: 'The provided authorization grant is invalid' }] }));
  });
  onTestFinished(() => {
    vi.restoreAllMocks();
    server.close();
  });
  const SendGridApiUrl = `http://127.0.0.1:${await listen(server, 0, 'the API of the tests')}`;
  const outputs = { ...contextWith({}).outputs, SendGridApiUrl, AwsApiEndpoint: 'http://127.0.0.1' };
  const check = secretChecks({ ...contextWith({}), outputs }).find(({ name }) => name === 'SendGrid, sending');
  expect(await check?.look()).toMatchObject({
    state: 'fix',
    says: expect.stringMatching(
      /^SendGrid does not accept the API key: .*401 The provided authorization grant is invalid.*--replace/,
    ),
  });
});

describe('queues', () => {
  const look = (name: string, ApproximateNumberOfMessages: number, ApproximateNumberOfMessagesNotVisible: number) => {
    const Attributes = {
      ApproximateNumberOfMessages: String(ApproximateNumberOfMessages),
      ApproximateNumberOfMessagesNotVisible: String(ApproximateNumberOfMessagesNotVisible),
    };
    const sqs = new SQSClient(settings);
    vi.spyOn(sqs, 'send').mockImplementation(async () => ({ $metadata: {}, Attributes }));
    const outputs = { ...contextWith({}).outputs, EventQueueUrl: 'http://queue', FailureQueueUrl: 'http://queue' };
    return queueChecks({ outputs }, sqs)
      .find((check) => check.name === name)
      ?.look();
  };

  test.each([
    [0, 0, 'empty'],
    [0, 1, '1 post waiting'],
    [60, 40, '100 posts waiting'],
  ])('EventQueue is healthy with %i waiting posts and %i in progress', async (waiting, inFlight, says) => {
    expect(await look('EventQueue', waiting, inFlight)).toEqual({ state: 'ok', says });
  });

  test('more than 100 posts in EventQueue need a person', async () => {
    expect(await look('EventQueue', 61, 40)).toMatchObject({
      state: 'fix',
      says: expect.stringMatching(/^101 posts waiting\..*look at the log of RecordEvents$/),
    });
  });

  test('each message in FailureQueue needs a person', async () => {
    expect(await look('FailureQueue', 0, 0)).toEqual({ state: 'ok', says: 'empty' });
    expect(await look('FailureQueue', 1, 1)).toMatchObject({
      state: 'fix',
      says: expect.stringMatching(/^2 messages about work that was given up/),
    });
  });
});

test.each([
  ['SendGridWebhookUrl', ['SendGrid, events', 'a forged SendGrid post']],
  [
    'CustomersMailCloudWebhookUrl',
    [
      'Customers Mail Cloud, events',
      'a Customers Mail Cloud post with a wrong key',
      'a Customers Mail Cloud post with the right key',
    ],
  ],
])('without the output %s, only the checks of that webhook are skipped', async (output, names) => {
  vi.spyOn(SecretsManagerClient.prototype, 'send').mockImplementation(() => Promise.reject(new Error('no secret')));
  onTestFinished(() => void vi.restoreAllMocks());
  const outputs = { ...contextWith({}).outputs, [output]: undefined };
  const checks = [...secretChecks({ ...contextWith({}), outputs }), ...webhookChecks({ ...contextWith({}), outputs })];
  const looks = await Promise.allSettled(checks.map(async ({ name, look }) => ({ name, ...(await look()) })));
  expect(looks.flatMap((look) => (look.status === 'fulfilled' ? [look.value] : []))).toEqual(
    names.map((name) => ({ name, state: 'skipped', says: 'the setting `providers` leaves this provider out' })),
  );
});

test.each([
  [20, /^none is unrecognized or unmatched in the last 1 day$/],
  [21, /\(not all rows were read\)$/],
])('of a day with %i pages in each partition, twenty pages are read', async (pages, words) => {
  let answered = 0;
  const answers = {
    get QueryCommand() {
      answered++;
      return { Items: [], ...(answered <= (pages - 1) * DAY_PARTITIONS && { LastEvaluatedKey: { n: { N: '1' } } }) };
    },
  };
  expect(await rowCheck({ ...contextWith(answers), days: 1 }).look()).toMatchObject({
    state: 'ok',
    says: expect.stringMatching(words),
  });
});

test.each([undefined, '', null])(
  'a new item with a status of %j is not a problem if it is sent soon',
  async (status) => {
    const look = (again: object) =>
      stuckCheck(
        contextWith({
          ScanCommand: { Items: [{ id: 'new', status }], ScannedCount: 1 },
          GetItemCommand: { Item: { id: 'new', ...again } },
        }),
        0,
      ).look();
    expect(await look({ status: 'sent' })).toEqual({ state: 'ok', says: 'none stuck, of 1 item' });
    expect(await look({ status })).toMatchObject({ state: 'fix' });
  },
);

test('an item that was not sent because all its recipients are suppressed is counted, but not a problem', async () => {
  const suppressed = { id: 'a', status: 'failed', error: `${ALL_SUPPRESSED}: a@example.jp is suppressed since …` };
  const items = (...Items: object[]) => contextWith({ ScanCommand: { Items, ScannedCount: Items.length } });
  expect(await stuckCheck(items(suppressed)).look()).toEqual({
    state: 'ok',
    says: 'none stuck, of 1 item; 1 not sent, because all their recipients are suppressed',
  });
  const failed = { id: 'b', status: 'failed', error: 'Cannot send: subject is missing' };
  expect(await stuckCheck(items(suppressed, failed)).look()).toMatchObject({
    state: 'fix',
    says: expect.stringMatching(/^1 stuck, of 2 items; 1 not sent, because all their recipients are suppressed:/),
  });
});

test.each([
  ['none', [], { state: 'skipped', says: 'the stack Todoke has none' }],
  ['all quiet', [{ AlarmName: 'Todoke-A-1XY', StateValue: 'OK' }], { state: 'ok', says: 'none of 1 is on' }],
  [
    'one that rings',
    [
      { AlarmName: 'Todoke-A-1XY', StateValue: 'OK' },
      { AlarmName: 'Todoke-B-2XY', StateValue: 'ALARM', AlarmDescription: 'Do this' },
    ],
    { state: 'fix', says: 'Todoke-B-2XY: Do this' },
  ],
  [
    'one that fires for a stack whose name only starts the same',
    [
      { AlarmName: 'Todoke-A-1XY', StateValue: 'OK' },
      { AlarmName: 'Todoke-test-B-2XY', StateValue: 'ALARM' },
    ],
    { state: 'ok', says: 'none of 1 is on' },
  ],
])('alarms: %s', async (_, MetricAlarms, verdict) => {
  const client = canned(new CloudWatchClient(settings), { DescribeAlarmsCommand: { MetricAlarms } });
  expect(await alarmVerdict('Todoke', client)).toEqual(verdict);
});
