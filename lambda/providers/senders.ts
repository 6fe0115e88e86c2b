/** Opens the sender of each provider. */
import { ofEachProvider, type Provider } from '../mail/provider.ts';
import { customersMailCloudSender, type SmtpAccount } from './customers-mail-cloud/sender.ts';
import type { NotSent, Sender } from './sender.ts';
import { sendGridSender } from './sendgrid/sender.ts';

/** The credentials of the senders. An empty key or host means that the provider is not set up. */
export interface SenderCredentials {
  readonly sendgridApiKey: string;
  readonly customersMailCloudSmtp: SmtpAccount;
}

export type Senders = Readonly<Record<Provider, Sender>>;

/** Senders that hand nothing over: every handover ends with the given result. For senders that cannot be opened. */
export function unavailableSenders(handover: NotSent): Senders {
  return ofEachProvider((provider) => ({
    // The same as the real sender: if an earlier attempt logged the message, its story must get the failure.
    choosesMessageId: provider === 'customers-mail-cloud',
    handoversAtOneTime: 25,
    send: () => Promise.resolve(handover),
    close() {},
  }));
}

/** Opens a sender for each provider. Close them after use, because they keep connections open between messages. */
export function openSenders(credentials: SenderCredentials, sendGridApiUrl: string): Senders {
  return {
    sendgrid: sendGridSender({ apiKey: credentials.sendgridApiKey, apiUrl: sendGridApiUrl }),
    'customers-mail-cloud': customersMailCloudSender({ smtp: credentials.customersMailCloudSmtp }),
  };
}
