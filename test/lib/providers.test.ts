/** A stack that receives one provider's webhook has no parts for the other's. */
import { describe, expect, test } from 'vitest';
import { PROVIDERS } from '../../lambda/mail/provider.ts';
import { resolve } from '../local/support.ts';
import { NOW, TROUBLES } from './alarm-data.ts';
import { alarmsOf, fires } from './alarm-evaluator.ts';
import { resources, synthesized } from './synthesized.ts';
import { alarmMetrics, dashboardMetrics } from './watched-metrics.ts';

/** The resources of each provider's webhook, by name. */
const PARTS = {
  sendgrid: ['ReceiveSendGrid', 'SendGridWebhook', 'SilentSendGrid'],
  'customers-mail-cloud': ['ReceiveCustomersMailCloud', 'CustomersMailCloudWebhook', 'SilentCustomersMailCloud'],
};
const FRONTS = {
  sendgrid: ['AWS::ApiGateway::RestApi', 'AWS::ApiGateway::Stage', 'AWS::ApiGateway::Account'],
  'customers-mail-cloud': ['AWS::Lambda::Url'],
};
/**
 * The metrics that stay for a provider whose events do not come. Mail may still be sent through it. `Unrecorded` may
 * count a message that cannot be read, whichever provider it is from.
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

  test('the other has no function, address, log group, permission, output or alarm', () => {
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

  test("alarms and the dashboard use no metric of the other's events", () => {
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

  test('each alarm still fires on its problem', () => {
    for (const [logicalId, alarm] of alarms) {
      const troubles = TROUBLES[logicalId] ?? [];
      const fired = troubles.some((points) => fires(alarm, points, NOW, 'makes the result missing'));
      expect(fired, logicalId).toBe(true);
    }
  });

  test("UnrecordedPosts counts attempts of both providers, because an unreadable message counts as SendGrid's", () => {
    const alarm = alarms.get('UnrecordedPosts') ?? expect.unreachable();
    const fired = TROUBLES['UnrecordedPosts']?.map((points) => fires(alarm, points, NOW, 'makes the result missing'));
    expect(fired).toEqual([true, true]);
  });
});
