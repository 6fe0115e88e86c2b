/** The sender of each provider. */
import { ofEachProvider, type Provider } from '../mail/provider.ts';
import { customersMailCloudSender, type SmtpAccount } from './customers-mail-cloud/sender.ts';
import { HandoverError, type Sender } from './sender.ts';
import { sendGridSender } from './sendgrid/sender.ts';

/** What the senders sign in with; an empty key or host means that the provider is not set up. */
export interface SenderCredentials {
  readonly sendgridApiKey: string;
  readonly customersMailCloudSmtp: SmtpAccount;
}

export type Senders = Readonly<Record<Provider, Sender>>;

/** In place of senders that cannot be opened: every handover fails with this. */
export function unavailableSenders(kind: HandoverError['kind'], message: string): Senders {
  return ofEachProvider((provider) => ({
    // As the sender in whose place it is: a mail that was logged before its last try must be told of in its story.
    choosesMessageId: provider === 'customers-mail-cloud',
    handoversAtOneTime: 25,
    send: () => Promise.reject(new HandoverError(kind, message)),
    close() {},
  }));
}

/** A sender for each provider. Close them: connections are kept open between mails. */
export function openSenders(credentials: SenderCredentials, sendGridApiUrl: string): Senders {
  return {
    sendgrid: sendGridSender({ apiKey: credentials.sendgridApiKey, apiUrl: sendGridApiUrl }),
    'customers-mail-cloud': customersMailCloudSender({ smtp: credentials.customersMailCloudSmtp }),
  };
}
