/**
 * Checks that an upgrade replaces no resource that holds data or whose address others know. `deployed.json` has these
 * resources as in the last release.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fullDiff, ResourceImpact } from '@aws-cdk/cloudformation-diff';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { synthesized } from './synthesized.ts';

const DEPLOYED = new URL('deployed.json', import.meta.url);
const HOW_TO_ACCEPT =
  'To accept it on purpose, say in the commit what users have to do, and run ACCEPT_UPGRADE=1 npx vitest run test/lib/upgrades.test.ts';

const KEPT_TYPES = [
  'AWS::ApiGateway::RestApi',
  'AWS::ApiGateway::Stage',
  'AWS::DynamoDB::Table',
  'AWS::KMS::Key',
  'AWS::Lambda::Url',
  'AWS::SNS::Topic',
  'AWS::SQS::Queue',
  'AWS::SecretsManager::Secret',
];
const HARMLESS = [ResourceImpact.NO_CHANGE, ResourceImpact.WILL_CREATE, ResourceImpact.WILL_UPDATE];

const resourcesSchema = z.record(
  z.string(),
  z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) }),
);
type Resources = z.infer<typeof resourcesSchema>;
const indexesSchema = z.array(z.looseObject({ IndexName: z.string() })).default([]);

const now = keptOf(synthesized().toJSON()['Resources']);
if (process.env['ACCEPT_UPGRADE']) writeFileSync(DEPLOYED, `${JSON.stringify(now, undefined, 2)}\n`);
const deployed = resourcesSchema.parse(JSON.parse(readFileSync(DEPLOYED, 'utf8')));

test('an upgrade replaces no table, key, secret or queue, and changes no address', () => {
  expect(dangersOf(deployed, now)).toEqual([]);
});

describe('the check finds', () => {
  const changed = (change: (resources: Resources) => void) => {
    const later = structuredClone(deployed);
    change(later);
    return dangersOf(deployed, later).join('\n');
  };
  const properties = (resources: Resources, logicalId: string) => resources[logicalId]?.Properties ?? {};

  test.each([
    ["a table's key", 'Mail', 'KeySchema', [{ AttributeName: 'number', KeyType: 'HASH' }]],
    ["a table's name", 'Bounce', 'TableName', 'Bounce'],
    ["a secret's name", 'SenderSecret', 'Name', 'sender'],
    ["a queue's name", 'EventQueue', 'QueueName', 'events'],
  ])('%s', (_, logicalId, name, value) => {
    const found = changed((later) => Object.assign(properties(later, logicalId), { [name]: value }));
    expect(found).toMatch(new RegExp(`^${logicalId}.*replaced, for ${name}.*ACCEPT_UPGRADE=1`));
  });

  test('another logical id', () => {
    const found = changed((later) => {
      Object.assign(later, { StoryTable: later['SentLog'] });
      delete later['SentLog'];
    });
    expect(found).toMatch(/^SentLog .*would be left behind/);
  });

  test("another initial value of a secret, because CloudFormation would overwrite people's keys with it", () => {
    const found = changed((later) => Object.assign(properties(later, 'WebhookSecret'), { SecretString: '{}' }));
    expect(found).toMatch(/^WebhookSecret .*overwritten/);
  });

  test('two index changes of one table, but not one change in each table', () => {
    const index = (IndexName: string) => ({ IndexName });
    const without = (later: Resources, table: string, count: number) => {
      const indexes = indexesSchema.parse(properties(later, table)['GlobalSecondaryIndexes']);
      Object.assign(properties(later, table), { GlobalSecondaryIndexes: indexes.slice(count) });
    };
    expect(changed((later) => without(later, 'Bounce', 1))).toBe('');
    expect(changed((later) => without(later, 'Bounce', 2))).toMatch(/^Bounce .*2 of its indexes/);
    expect(
      changed((later) => {
        Object.assign(properties(later, 'Mail'), { GlobalSecondaryIndexes: [index('byFrom')] });
        without(later, 'Bounce', 1);
      }),
    ).toBe('');
  });
});

/** One sentence for each resource that an update from `before` to `after` would lose or overwrite. */
function dangersOf(before: Resources, after: Resources): string[] {
  const dangers: string[] = [];
  fullDiff({ Resources: before }, { Resources: after }).resources.forEachDifference((logicalId, difference) => {
    const danger = (words: string) => dangers.push(`${logicalId} ${words}. ${HOW_TO_ACCEPT}`);
    const impact = difference.changeImpact;
    if (difference.isRemoval) danger('would be left behind or deleted, and what was in it would be missing');
    else if (!HARMLESS.includes(impact)) {
      const causes = Object.entries(difference.propertyUpdates)
        .filter(([, update]) => update.changeImpact !== undefined && !HARMLESS.includes(update.changeImpact))
        .map(([name]) => name);
      danger(`would be replaced, for ${causes.join(', ')}`);
    }
    if ('SecretString' in difference.propertyUpdates) danger('would be overwritten with its first value');
    const indexes = changedIndexes(before[logicalId], after[logicalId]);
    if (indexes > 1) danger(`would have ${indexes} of its indexes changed; DynamoDB takes one change at a time`);
  });
  return dangers;
}

/** The number of added or removed indexes. A changed index counts as both. */
function changedIndexes(before: Resources[string] | undefined, after: Resources[string] | undefined): number {
  const [old, young] = [before, after].map(
    (resource) =>
      new Set(
        indexesSchema.parse(resource?.Properties['GlobalSecondaryIndexes']).map((index) => JSON.stringify(index)),
      ),
  );
  if (!old || !young) return 0;
  return [...old].filter((index) => !young.has(index)).length + [...young].filter((index) => !old.has(index)).length;
}

function keptOf(resources: unknown): Resources {
  return Object.fromEntries(
    Object.entries(resourcesSchema.parse(resources)).filter(([, { Type }]) => KEPT_TYPES.includes(Type)),
  );
}
