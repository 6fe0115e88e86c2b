/** `npm run setup`: sets up what `cdk deploy` cannot: the keys of both providers, and their webhooks. */
import { PROVIDERS } from '../lambda/mail/provider.ts';
import { openAnswers, SENDING_KEY, SMTP_PASSWORD, WEBHOOK_KEY } from './support/answers.ts';
import { isLocal } from './support/aws.ts';
import { runCommand } from './support/command.ts';
import { DOCTOR_OPTIONS, runDoctor } from './support/doctor/doctor.ts';
import { OUTPUTS_OPTION, readStack } from './support/outputs.ts';
import {
  retireApiKeys,
  rotateApiKey,
  setUpCustomersMailCloudEvents,
  setUpCustomersMailCloudSending,
} from './support/setup/customers-mail-cloud.ts';
import { repairSecrets } from './support/setup/repair-secrets.ts';
import { retirePublicKeys, setUpSendGridEvents } from './support/setup/sendgrid-events.ts';
import { setUpSendGridSending } from './support/setup/sendgrid-sending.ts';
import { offerSuppressions } from './support/setup/sendgrid-suppressions.ts';
import { senderSecretOf, webhookSecretOf } from './support/stack-secrets.ts';
import { heading } from './support/terminal.ts';
import { wholeNumber } from './support/whole-number.ts';

await runCommand(
  {
    command: 'npm run setup',
    does: 'stores the keys of the providers, sets up their webhooks or says how to, then runs the doctor. It keeps existing values, and can be run again',
    options: {
      outputs: OUTPUTS_OPTION,
      provider: { default: '', help: 'sets up only this provider: sendgrid or customers-mail-cloud' },
      'sendgrid-public-key': {
        default: '',
        help: 'the Verification Key that SendGrid shows; it is added to the accepted keys',
      },
      'smtp-host': { default: '', help: 'SMTP host of the Customers Mail Cloud account' },
      'smtp-port': { default: '', help: 'SMTP port of this account; 587 unless another one is stored' },
      'smtp-user': { default: '', help: 'SMTP user of this account' },
      replace: { default: false, help: 'replaces existing values with new ones, and repairs malformed secrets' },
      rotate: { default: '', help: 'customers-mail-cloud: makes a second api_key; both keys are accepted' },
      retire: { default: '', help: 'sendgrid or customers-mail-cloud: accepts only the newest key' },
      'import-suppressions': {
        default: false,
        help: 'imports SendGrid’s bounces, spam reports and invalid addresses, if the webhook key may read them',
      },
      'skip-doctor': { default: false, help: 'does not run the doctor at the end' },
      stdin: { default: false, help: 'reads secrets from stdin, one line NAME=value for each' },
      ...DOCTOR_OPTIONS,
    },
    environment: {
      [SENDING_KEY]: 'a SendGrid key that may only send mail',
      [WEBHOOK_KEY]: 'a SendGrid key that may edit webhooks: used once, not stored',
      [SMTP_PASSWORD]: 'the SMTP password of the Customers Mail Cloud account',
    },
  },
  async (options) => {
    oneOf('provider', options.provider, PROVIDERS);
    oneOf('rotate', options.rotate, ['customers-mail-cloud']);
    oneOf('retire', options.retire, PROVIDERS);
    if (options.rotate !== '' && options.rotate === options.retire) {
      throw new Error(
        `Cannot rotate and retire ${options.rotate} at once: enter the new key at the provider before you retire the old one, or every post is refused`,
      );
    }
    const port = options['smtp-port'];
    const smtp = {
      host: options['smtp-host'],
      port: port === '' ? undefined : wholeNumber('smtp-port', port, { min: 1, max: 65_535 }),
      user: options['smtp-user'],
    };
    const days = wholeNumber('days', options.days, { max: 90 });
    const stack = await readStack(options.outputs);
    const { outputs } = stack;
    const answers = await openAnswers(options.stdin);
    console.log(heading(`Setting up Todoke, the stack ${stack.name}`));
    if (isLocal(outputs)) {
      console.log(
        'In local mode the providers are simulated, and set up already. The addresses below are on this machine.',
      );
    }

    const changesKeys = options.rotate !== '' || options.retire !== '';
    const wants = (provider: string) => !changesKeys && (options.provider || provider) === provider;
    const webhookKey = wants('sendgrid')
      ? await answers.secret(
          WEBHOOK_KEY,
          'A SendGrid key that may edit webhooks (not shown, used once, not stored; leave empty to set the webhook up by hand)',
        )
      : answers.given(WEBHOOK_KEY);
    const setup = {
      outputs,
      answers,
      webhookSecret: webhookSecretOf(outputs),
      senderSecret: senderSecretOf(outputs),
      webhookKey,
      replace: options.replace,
    };
    if (options.replace) await repairSecrets(setup);
    if (options.rotate !== '') await rotateApiKey(setup);
    if (options.retire === 'sendgrid') await retirePublicKeys(setup);
    if (options.retire === 'customers-mail-cloud') await retireApiKeys(setup);
    if (wants('sendgrid')) {
      await setUpSendGridSending(setup);
      await setUpSendGridEvents(setup, options['sendgrid-public-key']);
      await offerSuppressions(setup, options['import-suppressions']);
    }
    if (wants('customers-mail-cloud')) {
      await setUpCustomersMailCloudEvents(setup);
      await setUpCustomersMailCloudSending(setup, smtp);
    }

    if (options['skip-doctor']) return;
    console.log(`\n${heading('The doctor')}\n`);
    if (!(await runDoctor(stack, { webhookKey, days }))) process.exitCode = 1;
  },
);

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (value === '' || allowed.includes(value)) return;
  throw new Error(`Cannot use --${name} ${value}: it must be ${allowed.join(' or ')}`);
}
