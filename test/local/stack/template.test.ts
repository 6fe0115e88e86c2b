// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how CloudFormation writes variables
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { resolveIntrinsics } from '../../../local/stack/intrinsics.ts';
import { localOutputs } from '../../../local/stack/outputs.ts';
import { LOCAL_STACK, resolve } from '../support.ts';

const refs = new Map([
  ['AWS::Region', 'ap-northeast-1'],
  ['Mail', 'Todoke-Mail-local'],
]);
const references = {
  ref: (name: string) => refs.get(name),
  attribute: (id: string, name: string) => (id === 'Mail' && name === 'Arn' ? 'arn:mail' : undefined),
};
const value = (node: unknown) => resolveIntrinsics(node, 'Some.Property', references);

describe('intrinsic functions', () => {
  test.each([
    ['plain values stay as they are', { a: [1, true, 'x', null] }, { a: [1, true, 'x', null] }],
    ['Ref', { Ref: 'Mail' }, 'Todoke-Mail-local'],
    ['Ref of a pseudo parameter', { Ref: 'AWS::Region' }, 'ap-northeast-1'],
    ['GetAtt', { 'Fn::GetAtt': ['Mail', 'Arn'] }, 'arn:mail'],
    ['Join', { 'Fn::Join': ['-', ['a', { Ref: 'Mail' }]] }, 'a-Todoke-Mail-local'],
    ['Select of Split', { 'Fn::Select': [1, { 'Fn::Split': ['-', { Ref: 'Mail' }] }] }, 'Mail'],
    ['Sub', { 'Fn::Sub': 'x-${AWS::Region}-${Mail}' }, 'x-ap-northeast-1-Todoke-Mail-local'],
  ])('%s', (_, node, expected) => {
    expect(value(node)).toEqual(expected);
  });

  test.each([
    ['a reference', { Ref: 'Nothing' }, 'Cannot resolve Some.Property.deep: there is nothing called Nothing'],
    [
      'an attribute',
      { 'Fn::GetAtt': ['Mail', 'Size'] },
      'Cannot resolve Some.Property.deep: local mode does not know Mail.Size',
    ],
    [
      'a function',
      { 'Fn::ImportValue': 'x' },
      'Cannot resolve Some.Property.deep: local mode does not know Fn::ImportValue',
    ],
    ['an index', { 'Fn::Select': [2, ['a']] }, 'Cannot resolve Some.Property.deep: Fn::Select finds nothing at 2'],
  ])('%s that is unknown is an error that says where', (_, node, message) => {
    expect(() => value({ deep: node })).toThrow(message);
  });
});

describe('a resolved template', () => {
  const template = {
    Resources: {
      Mail: { Type: 'AWS::DynamoDB::Table', Properties: { Tag: { Ref: 'AWS::StackName' }, Unread: { 'Fn::If': [] } } },
      WebhookSecret: { Type: 'AWS::SecretsManager::Secret' },
      Api: { Type: 'AWS::ApiGateway::RestApi' },
      Stage: { Type: 'AWS::ApiGateway::Stage', Properties: { StageName: 'v1' } },
      Receive: { Type: 'AWS::Lambda::Function' },
      ReceiveUrl1A2B3C4D: {
        Type: 'AWS::Lambda::Url',
        Properties: { TargetFunctionArn: { 'Fn::GetAtt': ['Receive', 'Arn'] } },
      },
    },
    Outputs: {
      ApiUrl: {
        Value: {
          'Fn::Join': [
            '',
            [
              'https://',
              { Ref: 'Api' },
              '.execute-api.',
              { Ref: 'AWS::Region' },
              '.',
              { Ref: 'AWS::URLSuffix' },
              '/',
              { Ref: 'Stage' },
              '/',
              { 'Fn::Select': [2, { 'Fn::Split': ['/', { Ref: 'AWS::StackId' }] }] },
            ],
          ],
        },
      },
      FunctionUrl: { Value: { 'Fn::GetAtt': ['ReceiveUrl1A2B3C4D', 'FunctionUrl'] } },
    },
  };

  test('reads only the requested properties', () => {
    const tables = resolve(template).resources('AWS::DynamoDB::Table', z.object({ Tag: z.string() }));
    expect(Array.from(tables)).toEqual([['Mail', { Tag: 'Todoke' }]]);
  });

  test('names the resource whose property has the wrong shape', () => {
    const read = () => resolve(template).resources('AWS::DynamoDB::Table', z.object({ Tag: z.number() }));
    expect(read).toThrow('Cannot use AWS::DynamoDB::Table Mail of the template');
  });

  test('has stable names in the form of generated ones', () => {
    expect(resolve(template).ref('Mail')).toBe('Todoke-Mail-local');
    expect(resolve(template).ref('WebhookSecret')).toBe(
      'arn:aws:secretsmanager:ap-northeast-1:000000000000:secret:WebhookSecret-local-000000',
    );
  });

  test('has addresses on this machine as outputs', () => {
    expect(localOutputs(resolve(template), LOCAL_STACK)).toEqual({
      ApiUrl: 'http://127.0.0.1:8787/v1/11111111-2222-4333-8444-555555555555',
      FunctionUrl: 'http://127.0.0.1:8787/function-url/Receive/',
    });
  });
});
