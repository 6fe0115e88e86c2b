/** Repairs secrets whose value is malformed. */
import { done, type Setup, say, title } from './step.ts';

/** Keeps the well-formed parts. The steps that follow ask for the rest. */
export async function repairSecrets({ webhookSecret, senderSecret }: Setup): Promise<void> {
  for (const secret of [webhookSecret, senderSecret]) {
    const dropped = await secret.repair();
    if (dropped === undefined) continue;
    title(`The secret ${secret.name}`);
    done('its value was malformed, and is well-formed now');
    if (dropped.length > 0) say(`Removed: ${dropped.join(', ')}.`);
    say('Secrets Manager keeps the previous value as the version AWSPREVIOUS.');
  }
}
