import { expect, test } from 'vitest';
import { localAwsCli } from '../../bin/support/aws.ts';
import { welcome } from '../../bin/support/welcome.ts';

const outputs = { DynamoDbEndpoint: 'http://127.0.0.1:8788', MailTableName: 'Todoke-Mail-local' };

test("the lines for the AWS CLI are for the platform's shell", () => {
  const asks = 'aws dynamodb --region ap-northeast-1 --endpoint-url http://127.0.0.1:8788';
  const credentials = 'AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local';
  expect(localAwsCli(outputs.DynamoDbEndpoint, 'darwin')).toBe(`${credentials} ${asks}`);
  expect(localAwsCli(outputs.DynamoDbEndpoint, 'win32')).toBe(
    `$env:AWS_ACCESS_KEY_ID='local'; $env:AWS_SECRET_ACCESS_KEY='local'; ${asks}`,
  );
});

test('the AWS CLI example with JSON is shown only if the shell keeps quotation marks', () => {
  expect(welcome(outputs, '.local', 'linux')).toContain(`put-item --table-name Todoke-Mail-local --item '{`);
  expect(welcome(outputs, '.local', 'win32')).not.toContain('put-item');
});

test.each([
  ['.local', /^ {2}npm run try {3}in another/m],
  ['other', /^ {2}npm run try -- --outputs other[\\/]outputs\.json {3}in another/m],
  ['my mails', /^ {2}npm run try -- --outputs "my mails[\\/]outputs\.json" {3}in another/m],
])('in the folder %j, the next command has the path of the outputs', (dir, line) => {
  expect(welcome(outputs, dir)).toMatch(line);
});
