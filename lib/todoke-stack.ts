/** The stack: connects all constructs, and declares the outputs. */
import { CfnOutput, Stack, type StackProps, Tags } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Provider } from '../lambda/mail/provider.ts';
import { AlarmTopic } from './alarm-topic.ts';
import { Alarms } from './alarms.ts';
import { ApplicationAccess } from './application-access.ts';
import { Console } from './console.ts';
import { CustomersMailCloudReceiver } from './customers-mail-cloud-receiver.ts';
import { Dashboard } from './dashboard.ts';
import { EncryptionKey } from './encryption-key.ts';
import { EventRecorder } from './event-recorder.ts';
import { FailurePublisher } from './failure-publisher.ts';
import { LateJoin } from './late-join.ts';
import { MailSender } from './mail-sender.ts';
import { Metrics } from './metrics.ts';
import { Queues } from './queues.ts';
import { Secrets } from './secrets.ts';
import { SendGridReceiver } from './sendgrid-receiver.ts';
import { consoleSettings, type Settings } from './settings.ts';
import { Storage } from './storage.ts';

export interface TodokeStackProps extends StackProps {
  readonly settings: Settings;
}

export class TodokeStack extends Stack {
  constructor(scope: Construct, id: string, props: TodokeStackProps) {
    super(scope, id, {
      description: 'Todoke: sends mail through SendGrid or Customers Mail Cloud, and records what becomes of it',
      ...props,
    });
    const { settings } = props;

    const key = new EncryptionKey(this, 'Key');
    const storage = new Storage(this, 'Storage', { key });
    const secrets = new Secrets(this, 'Secrets', { key });
    const queues = new Queues(this, 'Queues', { key });
    const defaults = { key, logRetentionDays: settings.logRetentionDays };

    const receives = (provider: Provider) => settings.providers === 'both' || settings.providers === provider;
    const receiverProps = { defaults, settings, secrets, queues };
    const sendGrid = receives('sendgrid') ? new SendGridReceiver(this, 'SendGridReceiver', receiverProps) : undefined;
    const customersMailCloud = receives('customers-mail-cloud')
      ? new CustomersMailCloudReceiver(this, 'CustomersMailCloudReceiver', receiverProps)
      : undefined;
    const recorder = new EventRecorder(this, 'EventRecorder', { defaults, settings, storage, queues });
    const sender = new MailSender(this, 'MailSender', { defaults, settings, storage, secrets, queues });
    const lateJoin = new LateJoin(this, 'LateJoin', { defaults, settings, storage, queues });
    const publisher = new FailurePublisher(this, 'FailurePublisher', { defaults, settings, storage, queues });

    const team = consoleSettings(settings);
    const console =
      team &&
      new Console(this, 'TeamConsole', { defaults, settings: team, noNewsHours: settings.noNewsHours, storage });

    const parts = { sendGrid, customersMailCloud, recorder, sender, lateJoin, publisher, storage, queues };
    const metrics = new Metrics(this, parts);
    const alarmTopic = new AlarmTopic(this, 'AlarmTopic', { key, email: settings.alarmEmail });
    const alarms = new Alarms(this, 'Alarms', { metrics, topic: alarmTopic });
    const dashboard = new Dashboard(this, 'Dashboard', { metrics, alarms });

    const applications = new ApplicationAccess(this, 'ApplicationAccess', { storage });
    Tags.of(this).add('Application', 'Todoke');

    const output = (name: string, value: string, description: string) =>
      new CfnOutput(this, name, { value, description });
    output('MailTableName', storage.mail.tableName, 'Put an item into this table, and it is sent');
    output('SentLogTableName', storage.sentLog.tableName, 'The story of each mail');
    output('BounceTableName', storage.bounce.tableName, 'What bounced, was dropped or failed, and why');
    if (sendGrid) output('SendGridWebhookUrl', sendGrid.webhookUrl, "Enter this as SendGrid's Event Webhook");
    if (customersMailCloud) {
      output(
        'CustomersMailCloudWebhookUrl',
        customersMailCloud.webhookUrl,
        "Enter this as Customers Mail Cloud's webhook",
      );
    }
    output(
      'CustomersMailCloudTimeZone',
      settings.customersMailCloudTimeZone,
      'The time zone of the times that Customers Mail Cloud reports',
    );
    output('SendGridRegion', settings.sendgridRegion, 'The region of the SendGrid account');
    output(
      'NoNewsHours',
      String(settings.noNewsHours),
      'The hours after which a message without any event is "no news"',
    );
    output('PublishFailures', settings.publishFailures, 'Whether failures are published on the event bus');
    output(
      'SendMailPolicyArn',
      applications.sendMail.managedPolicyArn,
      'Attach this to an application that sends mail',
    );
    output(
      'LogMailPolicyArn',
      applications.logMail.managedPolicyArn,
      'Attach this to an application that logs its mail',
    );
    output(
      'ReadBouncesPolicyArn',
      applications.readBounces.managedPolicyArn,
      'Attach this to an application that reads bounces',
    );
    if (team && console) {
      output(
        'ConsoleUrl',
        console.url,
        'Opens the console. Register it at the OpenID provider as the redirect address',
      );
      output('ConsoleIssuer', team.issuer, 'The OpenID provider that signs people in to the console');
    }
    output('AlarmTopicArn', alarmTopic.topicArn, 'Subscribe to this topic to get the alarms');
    output('DashboardUrl', dashboard.url, 'The dashboard: what is sent, what is received, and failures');
    output('WebhookSecretName', secrets.webhook.secretName, 'Holds the keys and credentials that verify webhooks');
    output('SenderSecretName', secrets.sender.secretName, 'Holds the credentials that send mail');
    output('EventQueueUrl', queues.events.queueUrl, 'Holds the posts that wait to be recorded');
    output('RetryQueueUrl', queues.retries.queueUrl, 'Holds the mails that wait for their next attempt');
    output('FailureQueueUrl', queues.failures.queueUrl, 'Holds work that was given up; normally empty');
  }
}
