/** Real replies with their right class, and each provider's classification of them. */
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { BOUNCE_CLASSES, type BounceClass, CAUSES, type Verdict } from '../../../lambda/mail/verdict.ts';
import { classifyCustomersMailCloud } from '../../../lambda/providers/customers-mail-cloud/classification.ts';
import { classifySendGrid } from '../../../lambda/providers/sendgrid/classification.ts';
import { readFixture } from '../providers/fixtures.ts';

const right = { bounceClass: z.enum(BOUNCE_CLASSES), cause: z.optional(z.enum(CAUSES)) };

const reply = z.strictObject({
  text: z.string(),
  ...right,
  /** The source's own label for the reason. */
  label: z.string(),
  source: z.string(),
  /** Why class or cause differs from the label. docs/classification.md explains it. */
  why: z.optional(z.string()),
});
export type SampleReply = z.infer<typeof reply>;

export const SAMPLE = readFixture('replies/sample.json', z.array(reply));
export const LABELS = readFixture('replies/labels.json', z.record(z.string(), z.strictObject(right)));

/** Two fifths of the sample, chosen by a hash of the text. They were not used to write the table of texts. */
export const isHeldOut = ({ text }: SampleReply) => (createHash('sha256').update(text).digest()[0] ?? 0) < 0x66;

/** Each provider's classification from the reply alone. */
export const PROVIDERS_VERDICTS: Readonly<Record<string, (text: string) => Verdict>> = {
  // With the type that says most against the address, and without a classification.
  SendGrid: (reason) =>
    classifySendGrid({ event: 'bounce', type: 'bounce', status: '', bounceClassification: '', reason }),
  // Status 4, rejected: the reply decides.
  'Customers Mail Cloud': (reason) => classifyCustomersMailCloud('bounces', '4', reason),
};

/** For each right class, how many replies got each class. */
export function confusion(replies: readonly SampleReply[], classify: (text: string) => Verdict) {
  const none = (): Record<BounceClass, number> => ({ hard: 0, soft: 0, undetermined: 0 });
  const counts: Record<BounceClass, Record<BounceClass, number>> = { hard: none(), soft: none(), undetermined: none() };
  for (const { text, bounceClass } of replies) counts[bounceClass][classify(text).bounceClass] += 1;
  return counts;
}

/** The share of replies with the right class and, of those with a known cause, the share with the right cause. */
export function accuracy(replies: readonly SampleReply[], classify: (text: string) => Verdict) {
  const withCause = replies.filter(({ cause }) => cause !== undefined);
  const rightClass = replies.filter(({ text, bounceClass }) => classify(text).bounceClass === bounceClass);
  const rightCause = withCause.filter(({ text, cause }) => classify(text).cause === cause);
  return { bounceClass: rightClass.length / replies.length, cause: rightCause.length / withCause.length };
}
