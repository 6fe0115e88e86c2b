/** Every alarm must fire on its problem, and on nothing else. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { resolve } from '../local/support.ts';
import { DAY, FIRST_MAIL, HEALTHY, NEAR_MISSES, NOW, TROUBLES } from './alarm-data.ts';
import {
  type AlarmDefinition,
  alarmsOf,
  fires,
  MISSING,
  type MissingOperand,
  metricKey,
  type Point,
  periodMinutes,
} from './alarm-evaluator.ts';
import { synthesized } from './synthesized.ts';
import { alarmMetrics, dashboardMetrics } from './watched-metrics.ts';

const template = resolve(synthesized().toJSON());
const alarms = alarmsOf(template);
const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const japanese = readFileSync(new URL('../../docs/ja/operations.md', import.meta.url), 'utf8');

const MODES = Object.keys(MISSING) as MissingOperand[];
const onIn = (points: readonly Point[], now: number, mode: MissingOperand) =>
  [...alarms].filter(([, alarm]) => fires(alarm, points, now, mode)).map(([logicalId]) => logicalId);

test('each alarm has a problem in the data, and each problem an alarm', () => {
  expect(Object.keys(TROUBLES).toSorted()).toEqual([...alarms.keys()].toSorted());
});

describe.each(MODES)('if a missing operand %s,', (mode) => {
  test('no alarm fires in an account without any data', () => {
    expect(onIn([], NOW, mode)).toEqual([]);
  });

  test('no alarm fires on healthy days', () => {
    // Checks every five minutes, the shortest period, so that no point is missed.
    for (let now = 0; now <= NOW; now += 5) expect({ now, on: onIn(HEALTHY, now, mode) }).toEqual({ now, on: [] });
  });

  test('no alarm fires just after the first mail for days, or if it is the only one', () => {
    for (const now of [NOW, NOW + DAY, NOW + 2 * DAY]) expect(onIn(FIRST_MAIL, now, mode)).toEqual([]);
  });

  describe.each([...alarms])('%s', (logicalId, alarm) => {
    const troubles = TROUBLES[logicalId] ?? [];

    test('fires on its problem, for each of its metrics, and ends with the problem', () => {
      for (const trouble of troubles) {
        expect(fires(alarm, trouble, NOW, mode)).toBe(true);
        const ended = NOW + (alarm.EvaluationPeriods + 1) * periodMinutes(alarm);
        expect(fires(alarm, trouble, ended, mode)).toBe(false);
      }
      const metrics = new Set(
        alarm.Metrics.flatMap((it) => ('MetricStat' in it ? [metricKey(it.MetricStat.Metric)] : [])),
      );
      const tried = new Set([...troubles.flat(), ...HEALTHY].map(({ metric }) => metric));
      expect([...metrics].filter((metric) => !tried.has(metric))).toEqual([]);
    });
  });

  test.each(Object.entries(NEAR_MISSES))('data just below its problem does not fire %s', (logicalId, points) => {
    expect(onIn(points, NOW, mode)).not.toContain(logicalId);
  });
});

describe('the description of an alarm', () => {
  const headings = Array.from(operations.matchAll(/^### (.+)$/gm), ([, heading = '']) => heading);
  const anchors = headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );

  test.each([...alarms])('%s: what happened, what to do, and where to read more', (_, alarm) => {
    const { AlarmDescription, AlarmActions, OKActions } = alarm;
    expect(AlarmDescription.length).toBeLessThanOrEqual(1024);
    expect(AlarmDescription).toMatch(/^[A-Z].{80,} More: docs\/operations\.md#[a-z-]+$/);
    expect(anchors).toContain(AlarmDescription.split('#')[1]);
    expect(AlarmActions).toEqual([template.ref('AlarmTopic')]);
    expect(OKActions).toEqual(AlarmActions);
  });

  test('each section under "Alarms" is linked, and names its alarms', () => {
    const page = operations.split('\n## ').find((section) => section.startsWith('Alarms\n')) ?? '';
    const sections = page.split('\n### ').slice(1);
    expect(sections).not.toEqual([]);
    for (const section of sections) {
      const anchor = section.split('\n')[0]?.toLowerCase().replaceAll(' ', '-');
      const linked = [...alarms].filter(([, { AlarmDescription }]) => AlarmDescription.endsWith(`#${anchor}`));
      expect(linked.length, anchor).toBeGreaterThan(0);
      for (const [logicalId] of linked) expect(section).toContain(`\`${logicalId}\``);
    }
  });

  test('CloudWatch accepts it: at most ten metrics, and no longer range than allowed', () => {
    for (const alarm of alarms.values()) {
      const metrics = alarm.Metrics.filter((query) => 'MetricStat' in query);
      expect(metrics.length).toBeLessThanOrEqual(10);
      expect(periodMinutes(alarm) * alarm.EvaluationPeriods).toBeLessThanOrEqual(longest(alarm));
    }
  });
});

/** The longest evaluation range in minutes: a day, or seven if the period is an hour or more (API reference, PutMetricAlarm). */
function longest(alarm: AlarmDefinition): number {
  return periodMinutes(alarm) >= 60 ? 7 * DAY : DAY;
}

describe('watched metrics exist:', () => {
  /** The metrics and dimensions in AWS's documentation of each service. */
  const AWS: Readonly<Record<string, { metrics: string[]; dimensions: Record<string, string> }>> = {
    'AWS/Lambda': {
      metrics: [
        'Invocations',
        'Errors',
        'Throttles',
        'Duration',
        'IteratorAge',
        'Url5xxCount',
        'DestinationDeliveryFailures',
      ],
      dimensions: { FunctionName: 'AWS::Lambda::Function' },
    },
    'AWS/DynamoDB': {
      metrics: ['ConsumedWriteCapacityUnits', 'WriteThrottleEvents'],
      dimensions: { TableName: 'AWS::DynamoDB::Table', GlobalSecondaryIndexName: 'index' },
    },
    'AWS/SQS': {
      metrics: ['ApproximateNumberOfMessagesVisible', 'ApproximateAgeOfOldestMessage'],
      dimensions: { QueueName: 'AWS::SQS::Queue' },
    },
    'AWS/ApiGateway': { metrics: ['5XXError'], dimensions: { ApiName: 'AWS::ApiGateway::RestApi' } },
  };
  const watched = [...alarmMetrics(template), ...dashboardMetrics(template)];
  const unique = [...new Map(watched.map((metric) => [metricKey(metric), metric])).values()];
  const ofAws = unique.filter(({ Namespace }) => Namespace !== 'Todoke');

  test.each(ofAws.map((metric) => [metricKey(metric), metric] as const))('%s', (_, metric) => {
    const known = AWS[metric.Namespace];
    expect(known?.metrics).toContain(metric.MetricName);
    for (const { Name, Value } of metric.Dimensions) {
      const type = known?.dimensions[Name] ?? 'unknown';
      expect(namesOf(type)).toContain(Value);
    }
  });

  test('the stack has at most 17 metrics of its own, and the dashboard at most 50, which are free', () => {
    const ours = unique.filter(({ Namespace }) => Namespace === 'Todoke');
    expect(new Set(ours.map(({ MetricName }) => MetricName)).size).toBeLessThanOrEqual(17);
    expect(dashboardMetrics(template).length).toBeLessThanOrEqual(50);
    // Both pages on operations give the figures that determine the price.
    expect(operations).toContain(`${alarms.size} alarms that watch ${alarmMetrics(template).length} metrics`);
    expect(japanese).toContain(`アラーム ${alarms.size} 個（メトリクス ${alarmMetrics(template).length} 個）`);
  });

  function namesOf(type: string): string[] {
    if (type === 'index') return ['byDay', 'byRecipient'];
    if (type === 'AWS::ApiGateway::RestApi') {
      return Array.from(template.resources(type, z.object({ Name: z.string() })).values(), ({ Name }) => Name);
    }
    const attribute = type === 'AWS::SQS::Queue' ? 'QueueName' : undefined;
    return Array.from(template.resources(type, z.object({})).keys(), (logicalId) =>
      attribute ? template.attribute(logicalId, attribute) : template.ref(logicalId),
    );
  }
});

test('only the configured address subscribes to the topic, and none if none is configured', () => {
  const subscriptions = (context: object) =>
    Object.values(synthesized({ ...context }).findResources('AWS::SNS::Subscription'));
  expect(subscriptions({})).toEqual([]);
  expect(subscriptions({ alarmEmail: 'you@example.com' })).toMatchObject([
    { Properties: { Protocol: 'email', Endpoint: 'you@example.com', TopicArn: { Ref: 'AlarmTopic' } } },
  ]);
});
