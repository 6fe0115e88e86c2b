/** What `npm start` prints when it is ready. */
import { join } from 'node:path';
import { localAwsCli } from './aws.ts';
import { DEFAULT_DIR } from './outputs.ts';
import { heading, shellWord } from './terminal.ts';

/** Takes the place of the address of a webhook that the stack does not have. */
const NOT_RECEIVED = 'none: the setting `providers` leaves this provider out';

const SIGN_IN = 'sign in as reader@example.com or operator@example.com; it refuses stranger@example.net';

export function welcome(
  outputs: Readonly<Record<string, string>>,
  dir: string,
  platform: string = process.platform,
): string {
  const outputsFile = join(dir, 'outputs.json');
  const tryCommand = dir === DEFAULT_DIR ? 'npm run try' : `npm run try -- --outputs ${shellWord(outputsFile)}`;
  // No command for PowerShell, which removes the quotation marks of JSON.
  const byHand = platform === 'win32' ? '' : putItem(outputs);
  return `
${heading('Look at it')}
  ${outputs['ConsoleUrl']}   ${outputs['ConsoleIssuer'] ? SIGN_IN : 'send messages, and follow each of them'}

${heading('Addresses')}
  SendGrid webhook              ${outputs['SendGridWebhookUrl'] ?? NOT_RECEIVED}
  Customers Mail Cloud webhook  ${outputs['CustomersMailCloudWebhookUrl'] ?? NOT_RECEIVED}
  DynamoDB                      ${outputs['DynamoDbEndpoint']}
  SendGrid, simulated           ${outputs['SendGridApiUrl']}
  SMTP, simulated               ${outputs['SmtpUrl']}

${heading('Files')}
  outputs   ${outputsFile}, as \`cdk deploy --outputs-file\` writes them
  secrets   ${join(dir, 'webhook-secret.json')}, ${join(dir, 'sender-secret.json')}
  logs      ${join(dir, 'logs')}

${heading('Try')}
  ${tryCommand}   in another terminal: sends messages, and shows each row as it appears

${byHand}  The recipient's address decides the outcome: bounce@, blocked@, dropped@, deferred@, complaint@. Every other address is delivered.

Ctrl-C stops it.
`;
}

const putItem = (outputs: Readonly<Record<string, string>>) => `  or put an item into the Mail table yourself:

  ${localAwsCli(outputs['DynamoDbEndpoint'])} \\
  put-item --table-name ${outputs['MailTableName']} --item '{
    "id": {"S": "hello-1"}, "from": {"S": "Shop <shop@example.com>"}, "to": {"S": "Taro <bounce@example.jp>"},
    "subject": {"S": "Hello"}, "content": {"S": "Are you there?"}}'

`;
