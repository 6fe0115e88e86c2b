/** The sender of each provider. */
import { ofEachProvider, type Provider } from '../mail/provider.ts';
import { customersMailCloudSender, type SmtpAccount } from './customers-mail-cloud/sender.ts';
import type { NotSent, Sender } from './sender.ts';
import { sendGridSender } from './sendgrid/sender.ts';

/** What the senders sign in with; an empty key or host means that the provider is not set up. */
export interface SenderCredentials {
  readonly sendgridApiKey: string;
  readonly customersMailCloudSmtp: SmtpAccount;
}

export type Senders = Readonly<Record<Provider, Sender>>;

/** In place of senders that cannot be opened: every handover ends with this. */
export function unavailableSenders(handover: NotSent): Senders {
  return ofEachProvider((provider) => ({
    // As the sender that it stands in for: a message that was logged before must get its end into its story.
    choosesMessageId: provider === 'customers-mail-cloud',
    handoversAtOneTime: 25,
    send: () => Promise.resolve(handover),
    close() {},
  }));
}

/** A sender for each provider. Close them: connections are kept open between messages. */
export function openSenders(credentials: SenderCredentials, sendGridApiUrl: string): Senders {
  return {
    sendgrid: sendGridSender({ apiKey: credentials.sendgridApiKey, apiUrl: sendGridApiUrl }),
    'customers-mail-cloud': customersMailCloudSender({ smtp: credentials.customersMailCloudSmtp }),
  };
}
