import { afterAll, afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { grantsOf } from '../iam/policies.ts';
import { serviceRequests } from '../iam/services.ts';
import { unusedGrants } from '../iam/unused-grants.ts';
import { type RunningStack, runningStack, until } from './running-stack.ts';

const REGION = 'ap-northeast-1';
const timing = { pollIntervalMs: 50, retryDelayMs: () => 1 };

const bounce = (messageId: string) => ({
  email: `${messageId}@example.jp`,
  timestamp: 1_790_000_000,
  event: 'bounce',
  type: 'bounce',
  sg_event_id: messageId,
  sg_message_id: `${messageId}.recvd-1`,
});
const bounces = (messageId: string) => ({
  event_type: 'bounces',
  event: {
    bounces: [
      {
        created: '2026-11-01 10:00:00',
        messageId,
        apiData: '',
        status: '2',
        reason: '550',
        subject: 'S',
        from: 'shop@example.com',
        to: 'a@example.jp',
      },
    ],
  },
});
const mail = (id: string, provider: string) => ({
  id,
  provider,
  from: 'shop@example.com',
  to: 'ann@example.jp',
  subject: 'S',
  content: 'C',
});

describe('a stack that runs every code path', () => {
  const stack = runningStack({ timing, streamRetries: 3 });
  afterEach(() => {
    stack().storage.plan = () => undefined;
  });

  test('posts of both webhooks are queued and recorded, together or, if a batch is refused, one by one', async () => {
    for (const refused of [false, true]) {
      stack().storage.plan = ({ action }) => (refused && action === 'BatchWriteItem' ? 'refused item' : undefined);
      const [one, two] = [`one-${refused}`, `<two-${refused}@example.com>`];
      await expect(stack().postSendGrid([bounce(one)])).resolves.toMatchObject({ status: 200 });
      await expect(stack().postCustomersMailCloud(bounces(two))).resolves.toMatchObject({ status: 200 });
      for (const messageId of [one, two]) {
        await until(`the row of ${messageId}`, async () => (await stack().bounces(messageId))[0]);
      }
      await until('an empty queue', async () => queueLength(stack(), 'EventQueue') === 0 || undefined);
    }
  });

  test('mail is sent by both providers', async () => {
    for (const provider of ['sendgrid', 'customers-mail-cloud']) {
      await stack().insert(mail(provider, provider));
      await expect(stack().settled(provider)).resolves.toMatchObject({ status: 'sent' });
    }
  });

  test('a mail that cannot be sent at once waits in RetryQueue', async () => {
    let failures = 3;
    stack().storage.plan = ({ caller, action }) =>
      caller === 'SendMail' && action === 'UpdateItem' && failures-- > 0 ? 'error 500' : undefined;
    await stack().insert(mail('waits', 'sendgrid'));
    await expect(stack().settled('waits')).resolves.toMatchObject({ status: 'sent' });
    // A message that is in work is deleted after the item is written.
    await until('its message to be deleted', async () =>
      [...stack().access.allowed.values()].find(
        ({ action, resource }) => action === 'sqs:DeleteMessage' && resource.endsWith('RetryQueue-local'),
      ),
    );
  });

  test('a recipient that is refused at the handover is recorded', async () => {
    await stack().insert({ ...mail('refused', 'customers-mail-cloud'), to: 'ann@example.jp, あん@example.jp' });
    await expect(stack().settled('refused')).resolves.toMatchObject({ error: expect.stringMatching(/was refused/) });
  });

  test('a mail that an application logs late is joined with its failure', async () => {
    await stack().postSendGrid([bounce('late')]);
    await until('the early event', async () => (await stack().bounces('late'))[0]);
    await stack().log({ messageId: 'late', entry: 'mail', from: 'a@example.com', to: 'b@example.jp', subject: 'S' });
    await until('the join', async () => (await stack().bounces('late')).find((row) => row['matched'] === true));
  });

  test('a failure is published, and a row that was put back is joined again', async () => {
    await stack().log({ messageId: 'back', entry: 'mail', from: 'a@example.com', to: 'b@example.jp', subject: 'S' });
    // Otherwise join-late-events, which adds `day`, might join the row, and publish-failures would have nothing to do.
    await until('the late join', async () => (await stack().story('back'))[0]?.['day']);
    await stack().postSendGrid([bounce('back')]);
    const row = await until('the event', async () =>
      (await stack().published()).find(({ detail: { messageId, matched } }) => messageId === 'back' && matched),
    );
    await stack().putBounce({ ...row.detail, matched: false });
    await until('the join', async () => (await stack().bounces('back')).find(({ matched }) => matched === true));
  });

  test.each(['SendMail', 'JoinLateEvents', 'PublishFailures'])('what %s gives up is reported', async (functionId) => {
    const before = queueLength(stack(), 'FailureQueue');
    stack().storage.plan = ({ caller, action }) =>
      caller === functionId && ['Query', 'UpdateItem', 'BatchGetItem'].includes(action) ? 'error 500' : undefined;
    // If RetryQueue accepts nothing either, the record can only stay in the stream.
    const retries = stack().local.queues.get('RetryQueue') ?? expect.unreachable();
    const refusal = vi.spyOn(retries, 'send').mockRejectedValue(new Error('refused by the test'));
    onTestFinished(() => refusal.mockRestore());
    await stack().insert(mail(`given-up-by-${functionId}`, 'sendgrid'));
    await stack().postSendGrid([bounce(`given-up-by-${functionId}`)]);
    await until('a report', async () => queueLength(stack(), 'FailureQueue') > before || undefined);
  });

  // After all tests of the block, in any order: the stack must have used each of its grants, and has no other.
  afterAll(async () => {
    const { access, policies, template } = stack();
    for (const request of serviceRequests(template, policies, REGION)) await access.ask(request);
    // examples.test.ts covers the policies of applications.
    const applications = ['SendMailPolicy', 'LogMailPolicy', 'ReadBouncesPolicy'];
    const grants = grantsOf(policies).filter(({ holder }) => !applications.includes(holder));
    expect(grants.length).toBeGreaterThan(80);
    expect(await unusedGrants(grants, access.allowed.values(), policies), 'grants that nothing needs').toEqual([]);
  });
});

describe('without a grant, a stack fails as in AWS, and the error names action and resource:', () => {
  const taken: Readonly<Record<string, string>> = {
    ReceiveSendGrid: 'kms:GenerateDataKey',
    ReceiveCustomersMailCloud: 'sqs:SendMessage',
    RecordEvents: 'sqs:ReceiveMessage',
    SendMail: 'dynamodb:GetRecords',
    PublishFailures: 'events:PutEvents',
  };
  const stack = runningStack({ timing, without: ({ holder, action }) => taken[holder] === action });
  const refused = (words: RegExp) => until('a refusal', async () => stack().reported.find((line) => words.test(line)));
  const refusals = (words: RegExp) => expect(stack().access.refusals).toContainEqual(expect.stringMatching(words));

  test('the key, for a receiver: no post is queued', async () => {
    await expect(stack().postSendGrid([bounce('no-key')])).resolves.toMatchObject({ status: 503 });
    refusals(/ReceiveSendGrid is not authorized to perform: kms:GenerateDataKey on .*:kms:.*Key/);
  });

  test('the queue, for a receiver: no post is queued', async () => {
    await expect(stack().postCustomersMailCloud(bounces('<no-queue@example.com>'))).resolves.toMatchObject({
      status: 503,
    });
    refusals(/ReceiveCustomersMailCloud is not authorized to perform: sqs:SendMessage on resource: .*EventQueue/);
  });

  test("the queue, for Lambda's calls on behalf of record-events: nothing is delivered", () =>
    refused(/RecordEvents is not authorized to perform: sqs:ReceiveMessage on resource: .*EventQueue/));

  test("the stream, for Lambda's calls on behalf of send-mail: nothing is delivered", () =>
    refused(/SendMail is not authorized to perform: dynamodb:GetRecords on resource: .*stream/));

  test('the event bus, for publish-failures: nothing is published', async () => {
    await stack().putBounce({ fullMessageId: 'no-bus', eventId: 'e', outcome: 'bounced', matched: true });
    const refusal = /PublishFailures is not authorized to perform: events:PutEvents on resource: .*event-bus\/default/;
    await until('a refusal', async () => stack().access.refusals.find((line) => refusal.test(line)));
    expect(await stack().published()).toEqual([]);
  });
});

describe('a recorder that may not write to a table', () => {
  const stack = runningStack({
    timing: { ...timing, visibilityTimeoutMs: 500 },
    without: ({ holder, action, resource }) =>
      holder === 'RecordEvents' && action === 'dynamodb:BatchWriteItem' && /Bounce/.test(resource ?? ''),
  });

  test('records nothing, and the post stays in the queue', async () => {
    const refusal = /RecordEvents is not authorized to perform: dynamodb:BatchWriteItem on resource: .*table\/.*Bounce/;
    await expect(stack().postSendGrid([bounce('no-table')])).resolves.toMatchObject({ status: 200 });
    // An invocation makes two attempts: one for all messages together, and one for each alone.
    await until('a second invocation to be refused', async () => {
      const { length } = stack().access.refusals.filter((line) => refusal.test(line));
      return length > 2 || undefined;
    });
    expect(queueLength(stack(), 'EventQueue')).toBe(1);
    expect(await stack().allBounces()).toEqual([]);
  });
});

function queueLength({ local }: RunningStack, logicalId: string): number {
  return local.queues.get(logicalId)?.messages().length ?? Number.NaN;
}
