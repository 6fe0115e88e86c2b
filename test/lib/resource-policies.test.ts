/** The key and the alarms' topic may be used only by the log groups and alarms of their own stack. */
import { describe, expect, test } from 'vitest';
import { isAllowed } from '../iam/decide.ts';
import { policiesOf } from '../iam/policies.ts';
import { REGION, resolve } from '../local/support.ts';
import { synthesized } from './synthesized.ts';

const STACK_NAME = 'Todoke-Prod';
const ACCOUNT = '000000000000';
const template = resolve(synthesized({ stackName: STACK_NAME }).toJSON(), { stackName: STACK_NAME });
const policies = policiesOf(template);
const key = template.attribute('Key', 'Arn');
const topic = template.ref('AlarmTopic');

/** IAM's answers to an AWS service, one for each action. */
async function answers(service: string, on: Readonly<Record<string, string>>, context: Record<string, string>) {
  const asked = Object.entries(on).map(([action, resource]) =>
    isAllowed({ principal: { service }, action, resource, context }, policies),
  );
  return new Set(await Promise.all(asked));
}

describe('CloudWatch Logs can use the key', () => {
  const ACTIONS = ['Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo', 'GenerateDataKey'];
  const askedFor = (logGroup: string, region = REGION) =>
    answers(`logs.${region}.amazonaws.com`, Object.fromEntries(ACTIONS.map((action) => [`kms:${action}`, key])), {
      'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${logGroup}`,
    });

  test.each(['Todoke-Prod-SendMailLogs-1AB2', 'Todoke-Prod-SendGridWebhookLogs-3CD4'])('for %s', async (logGroup) => {
    expect(await askedFor(logGroup)).toEqual(new Set([true]));
  });

  test.each(['Todoke-SendMailLogs-1AB2', 'Todoke-Production-SendMailLogs-1AB2', '/aws/lambda/Todoke-Prod-SendMail'])(
    'not for %s',
    async (logGroup) => {
      expect(await askedFor(logGroup)).toEqual(new Set([false]));
    },
  );

  test('only in its own region', async () => {
    expect(await askedFor('Todoke-Prod-SendMailLogs-1AB2', 'eu-west-1')).toEqual(new Set([false]));
  });
});

describe('CloudWatch can publish to the topic, which the key encrypts,', () => {
  const askedFor = (alarm: string, account = ACCOUNT) =>
    answers(
      'cloudwatch.amazonaws.com',
      { 'sns:Publish': topic, 'kms:GenerateDataKey': key, 'kms:Decrypt': key },
      {
        'aws:SourceArn': `arn:aws:cloudwatch:${REGION}:${account}:alarm:${alarm}`,
        'aws:SourceAccount': account,
        'aws:SecureTransport': 'true',
      },
    );

  test('for the alarms of this stack', async () => {
    expect(await askedFor('Todoke-Prod-DeadKey-1AB2')).toEqual(new Set([true]));
  });

  test.each([
    ['an alarm of another stack', 'Todoke-DeadKey-1AB2', ACCOUNT],
    ['an alarm of a stack whose name only starts the same', 'Todoke-Production-DeadKey-1AB2', ACCOUNT],
    ['an alarm of another account', 'Todoke-Prod-DeadKey-1AB2', '999999999999'],
  ])('not for %s', async (_, alarm, account) => {
    expect(await askedFor(alarm, account)).toEqual(new Set([false]));
  });
});
