/** The context of every step of the setup, and texts that steps share. */
import type { Answers } from '../answers.ts';
import type { StackOutputs } from '../outputs.ts';
import type { senderSecretOf, webhookSecretOf } from '../stack-secrets.ts';
import { faint, good, heading } from '../terminal.ts';

/** Where a step gets answers, and what it may change. */
export interface Setup {
  readonly outputs: StackOutputs;
  readonly answers: Answers;
  readonly webhookSecret: ReturnType<typeof webhookSecretOf>;
  readonly senderSecret: ReturnType<typeof senderSecretOf>;
  /** A SendGrid key that may edit webhooks; `""` if none is given. It is stored nowhere. */
  readonly webhookKey: string;
  /** Whether new answers replace existing values. */
  readonly replace: boolean;
}

export const title = (text: string): void => console.log(`\n${heading(text)}`);
export const say = (text: string): void => console.log(`  ${text}`);
export const done = (text: string): void => console.log(`  ${good('✓')} ${text}`);
export const steps = (lines: readonly string[]): void => {
  for (const [index, line] of lines.entries()) console.log(`  ${faint(`${index + 1}.`)} ${line}`);
};

/** All that is shown of a secret. */
export const state = (isSet: boolean): string => (isSet ? 'set' : 'missing');

/** Takes the place of the steps for a webhook that the stack does not have. */
export const sayNotReceived = (): void => say('not received: the setting `providers` leaves this provider out');

/** Says that a given answer is not used. */
export function sayKept(what: string, otherIsGiven: boolean): void {
  say(
    `${what}: set${otherIsGiven ? '. A different one was given and not stored; --replace stores it' : ', and kept (--replace changes it)'}`,
  );
}
