/** A stack that receives one provider's webhook has nothing of the other's. */
import { describe, expect, test } from 'vitest';
import { PROVIDERS } from '../../lambda/mail/provider.ts';
import { resolve } from '../local/support.ts';
import { NOW, TROUBLES } from './alarm-data.ts';
import { alarmsOf, fires } from './alarm-evaluator.ts';
import { resources, synthesized } from './synthesized.ts';
import { alarmMetrics, dashboardMetrics } from './watched-metrics.ts';

/** What belongs to the webhook of each provider, by its name. */
const PARTS = {
  sendgrid: ['ReceiveSendGrid', 'SendGridWebhook', 'SilentSendGrid'],
  'customers-mail-cloud': ['ReceiveCustomersMailCloud', 'CustomersMailCloudWebhook', 'SilentCustomersMailCloud'],
};
const FRONTS = {
  sendgrid: ['AWS::ApiGateway::RestApi', 'AWS::ApiGateway::Stage', 'AWS::ApiGateway::Account'],
  'customers-mail-cloud': ['AWS::Lambda::Url'],
};
/**
 * Of a provider whose events do not come. Mail may still be sent through it. `Unrecorded` of any provider may be a message
 * that cannot be read.
 */
const WATCHED_OF_OTHER = [
  'Sent',
  'NotSent',
  'Suppressed',
  'UnauthorizedHandovers',
  'Retried',
  'RetriedLate',
  'Unrecorded',
  'Published',
];

const both = synthesized();

describe.each(PROVIDERS)('providers: %s', (provider) => {
  const [other = provider] = PROVIDERS.filter((name) => name !== provider);
  const template = synthesized({ providers: provider });
  const resolved = resolve(template.toJSON());
  const alarms = alarmsOf(resolved);

  test('there is no function, address, log group, permission, output or alarm of the other', () => {
    for (const part of PARTS[other]) {
      expect(JSON.stringify(both.toJSON())).toContain(part);
      expect(JSON.stringify(template.toJSON())).not.toContain(part);
    }
    for (const type of FRONTS[other]) template.resourceCountIs(type, 0);
    for (const type of FRONTS[provider]) template.resourceCountIs(type, 1);
    const types = ['AWS::Lambda::Function', 'AWS::Logs::LogGroup', 'AWS::CloudWatch::Alarm'];
    const left = types.flatMap((type) => Object.keys(resources(template, type)));
    const all = types.flatMap((type) => Object.keys(resources(both, type)));
    expect(left).toEqual(all.filter((logicalId) => !PARTS[other].some((part) => logicalId.startsWith(part))));
  });

  test('alarms and the dashboard look at no metric of what the other reports', () => {
    const watched = [...alarmMetrics(resolved), ...dashboardMetrics(resolved)];
    const names = (name: string) => [
      ...new Set(
        watched.flatMap(({ MetricName, Dimensions }) =>
          Dimensions.some(({ Name, Value }) => Name === 'Provider' && Value === name) ? [MetricName] : [],
        ),
      ),
    ];
    expect(names(provider)).toEqual(expect.arrayContaining(['Received', 'Refused', 'Bounced']));
    expect(names(other).toSorted()).toEqual(WATCHED_OF_OTHER.toSorted());
  });

  test('each alarm still fires on a trouble of its own', () => {
    for (const [logicalId, alarm] of alarms) {
      const troubles = TROUBLES[logicalId] ?? [];
      const fired = troubles.some((points) => fires(alarm, points, NOW, 'makes the result missing'));
      expect(fired, logicalId).toBe(true);
    }
  });

  test('UnrecordedPosts counts the attempts of either provider: a message that cannot be read counts as one of SendGrid', () => {
    const alarm = alarms.get('UnrecordedPosts') ?? expect.unreachable();
    const fired = TROUBLES['UnrecordedPosts']?.map((points) => fires(alarm, points, NOW, 'makes the result missing'));
    expect(fired).toEqual([true, true]);
  });
});
