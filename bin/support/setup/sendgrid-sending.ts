/** Sets SendGrid's API key up. */
import { messageOf } from '../../../local/files.ts';
import { SENDING_KEY } from '../answers.ts';
import { moreThanSending, SendGridApi } from '../sendgrid-api.ts';
import { done, type Setup, say, sayKept, state, steps, title } from './step.ts';

/** Stores the API key for sending, after SendGrid has accepted it and said that it may send. */
export async function setUpSendGridSending(setup: Setup): Promise<void> {
  const { answers, senderSecret, replace } = setup;
  title('SendGrid, sending');
  const current = (await senderSecret.read()).value.sendgridApiKey;
  if (current !== '' && !replace) {
    const given = answers.given(SENDING_KEY);
    sayKept('API key', given !== '' && given !== current);
    await checkScopes(setup, current).catch((error: Error) =>
      say(`${error.message}. Give another key, with --replace`),
    );
    return;
  }
  say(`API key: ${state(current !== '')}`);
  const key = await answers.secret(
    SENDING_KEY,
    'A key that may only send mail (not shown; leave empty to enter it later)',
  );
  if (key === '') {
    steps([
      'In SendGrid: Settings → API Keys → Create API Key, Custom Access, Mail Send only',
      `Run this command again with the key in ${SENDING_KEY}, or at a terminal`,
    ]);
    return;
  }
  await checkScopes(setup, key);
  await senderSecret.change({ sendgridApiKey: key });
  done('API key: stored, and in use within a minute');
}

/** @throws Error if SendGrid does not accept the key, or it may not send */
async function checkScopes({ outputs }: Setup, key: string): Promise<void> {
  const scopes = await new SendGridApi(outputs, key).scopes().catch((cause: unknown) => {
    throw new Error(
      `Cannot use the API key: ${messageOf(cause)}. An account in the EU needs a deployment with the setting sendgridRegion eu`,
      { cause },
    );
  });
  if (!scopes.includes('mail.send')) throw new Error('Cannot use the API key: it may not send mail (mail.send)');
  const more = moreThanSending(scopes);
  if (more.length === 0) return;
  say(`! This key may do more than send mail (${more.slice(0, 3).join(', ')}${more.length > 3 ? ', …' : ''}).`);
  say('  Create a key with Custom Access, Mail Send only, and store it with --replace.');
}
