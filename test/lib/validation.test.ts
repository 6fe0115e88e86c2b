/** Synthesis must find what a security review or CloudFormation would object to. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, CfnResource, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterEach, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { ToldOfFailures } from '../../examples/told-of-failures.ts';
import { settingsFromContext } from '../../lib/settings.ts';
import { TodokeStack } from '../../lib/todoke-stack.ts';
import { resolve } from '../local/support.ts';
import { assemblyDir } from '../prepared.ts';
import { temporaryFolder } from '../temporary.ts';
import { synthesized } from './synthesized.ts';

const reportSchema = z.object({
  pluginReports: z.array(
    z.object({
      pluginName: z.string(),
      conclusion: z.string(),
      violations: z.array(
        z.object({
          ruleName: z.string(),
          description: z.string(),
          violatingConstructs: z.array(z.object({ constructPath: z.string().optional() })),
        }),
      ),
    }),
  ),
});
const cdkJson = z
  .object({ context: z.record(z.string(), z.unknown()) })
  .parse(JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8')));

afterEach(() => {
  vi.restoreAllMocks();
});

/** Synthesizes as the app does. Returns one line per finding: its rule, its place and its text. */
function findings(settings: object = {}, change: (stack: TodokeStack) => void = () => undefined): string[] {
  // If there are findings, the CDK prints them and sets the exit code of the process.
  const { exitCode } = process;
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const outdir = temporaryFolder();
  try {
    const app = new App({ context: { ...cdkJson.context, ...settings, 'aws:cdk:bundling-stacks': [] }, outdir });
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    change(new TodokeStack(app, 'Todoke', { settings: settingsFromContext(app.node) }));
    try {
      app.synth();
    } catch (error) {
      if (!(error instanceof Error && error.name === 'ValidationFailed')) throw error;
    }
    return findingsIn(outdir);
  } finally {
    process.exitCode = exitCode;
  }
}

function findingsIn(assemblyDir: string): string[] {
  const report = reportSchema.parse(JSON.parse(readFileSync(join(assemblyDir, 'validation-report.json'), 'utf8')));
  return report.pluginReports.flatMap(({ violations }) =>
    violations.flatMap(({ ruleName, description, violatingConstructs }) =>
      violatingConstructs.map(({ constructPath }) => `${ruleName} ${constructPath}: ${description}`),
    ),
  );
}

function breakTemplate(stack: TodokeStack): void {
  const changes: [string, string, unknown][] = [
    ['AWS::DynamoDB::Table', 'BillingMood', 'x'],
    ['AWS::SQS::Queue', 'VisibilityTimeout', 'long'],
    ['AWS::Lambda::Function', 'Timeout', 901],
    ['AWS::Lambda::Function', 'Role', { Ref: 'Nobody' }],
    ['AWS::Lambda::EventSourceMapping', 'FunctionName', { 'Fn::GetAtt': ['SendMail', 'Number'] }],
  ];
  for (const [type, property, value] of changes) {
    const isOfType = (construct: unknown): construct is CfnResource =>
      CfnResource.isCfnResource(construct) && construct.cfnResourceType === type;
    stack.node.findAll().find(isOfType)?.addPropertyOverride(property, value);
  }
}

describe('AwsSolutions of cdk-nag', () => {
  test('checks every synthesis, and finds nothing', async () => {
    const file = join(await assemblyDir(), 'validation-report.json');
    const { pluginReports } = reportSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    expect(pluginReports.map(({ pluginName, conclusion }) => [pluginName, conclusion])).toContainEqual([
      'AwsSolutions',
      'success',
    ]);
  });

  test.each([
    {
      providers: 'sendgrid',
      apiGatewayAccountRole: 'existing',
      sendgridReceiverReservedConcurrency: 5,
      retentionDays: 0,
      publishFailures: 'off',
      consoleIssuer: 'https://openid.example.com',
      consoleClientId: 'id',
      consoleReaders: '@example.com',
    },
    { providers: 'customers-mail-cloud', customersMailCloudReceiverReservedConcurrency: 5 },
  ])('finds nothing with the settings %o', (settings) => {
    expect(findings(settings)).toEqual([]);
  });

  // Also breaks CloudFormation's schemas and references, because each synthesis with these checks takes a second.
  test('each acknowledgement is for one finding on one resource, with a reason, and none is unused; other faults are found', () => {
    const acknowledged: string[] = [];
    const reasons: string[] = [];
    const of = Validations.of.bind(Validations);
    vi.spyOn(Validations, 'of').mockImplementation((scope) => {
      const validations = of(scope);
      vi.spyOn(validations, 'acknowledge').mockImplementation((...all) => {
        for (const { id, reason } of all) {
          acknowledged.push(`${id.split('::').slice(1).join('::')} ${scope.node.path}`);
          reasons.push(reason);
        }
      });
      return validations;
    });
    const found = findings({}, breakTemplate);
    const ofNag = found.filter((finding) => finding.startsWith('AwsSolutions'));
    expect(ofNag.map((finding) => finding.split(': ')[0]).toSorted()).toEqual(acknowledged.toSorted());
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    expect(Math.min(...reasons.map(({ length }) => length))).toBeGreaterThan(40);

    const others = found.filter((finding) => !ofNag.includes(finding)).join('\n');
    expect(others).toMatch(/BillingMood/);
    expect(others).toMatch(/VisibilityTimeout: 'long' is not of type/);
    expect(others).toMatch(/901 exceeds maximum 900/);
    expect(others).toMatch(/'Nobody' is not one of/);
    expect(others).toMatch(/'Number' is not one of/);
  });
});

test("the example's stack conforms to CloudFormation's schemas", () => {
  const outdir = temporaryFolder();
  const app = new App({ outdir });
  new ToldOfFailures(app, 'ToldOfFailures');
  app.synth();
  expect(findingsIn(outdir)).toEqual([]);
});

describe('limits that are not in any schema:', () => {
  const template = resolve(synthesized().toJSON());

  // Lambda's quotas: all names and values of a function's environment, 4 KB.
  test('environments', () => {
    const environment = z.object({ Variables: z.record(z.string(), z.string()) });
    for (const { Environment } of template
      .resources('AWS::Lambda::Function', z.object({ Environment: environment }))
      .values()) {
      expect(Object.entries(Environment.Variables).flat().join('').length).toBeLessThan(4_096 - ROOM_FOR_LONG_NAMES);
    }
  });

  // IAM's quotas, without white space: all inline policies of a role 10,240 characters, a managed policy 6,144.
  test('policies', () => {
    const document = z.object({ PolicyDocument: z.unknown() });
    const sizes = (type: string) =>
      Array.from(template.resources(type, document).values(), (it) => JSON.stringify(it.PolicyDocument).length);
    expect(Math.max(...sizes('AWS::IAM::Policy'))).toBeLessThan(10_240 - ROOM_FOR_LONG_NAMES);
    expect(Math.max(...sizes('AWS::IAM::ManagedPolicy'))).toBeLessThan(6_144 - ROOM_FOR_LONG_NAMES);
  });

  test('two stacks in one account and region have no resource name in common', () => {
    const names = (stackName: string) => {
      const json = synthesized({ stackName }).toJSON();
      return Object.values(resourcesSchema.parse(json.Resources)).flatMap(({ Type, Properties }) =>
        Object.entries(Properties)
          .filter(([name]) => /^(Name|.*[a-z]Name)$/.test(name) && !REFERENCES.includes(`${Type} ${name}`))
          .map(([name, value]) => `${Type} ${name} ${JSON.stringify(value)}`),
      );
    };
    const [ours, theirs] = [names('Todoke'), names('Todoke-Staging')];
    expect(ours.length).toBeGreaterThan(0);
    expect(ours.filter((name) => theirs.includes(name))).toEqual([]);
  });
});

/** Room for a stack name of 50 characters, and for generated names that are longer than those of local mode. */
const ROOM_FOR_LONG_NAMES = 1_500;

/** Properties that name another resource, or something inside the resource. */
const REFERENCES = [
  'AWS::ApiGateway::Stage StageName',
  'AWS::IAM::Policy PolicyName',
  'AWS::Lambda::EventSourceMapping FunctionName',
  'AWS::Lambda::Permission FunctionName',
];
const resourcesSchema = z.record(
  z.string(),
  z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) }),
);
