import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { BOUNCE_CLASSES } from '../../../lambda/mail/verdict.ts';
import { classifyCustomersMailCloud } from '../../../lambda/providers/customers-mail-cloud/classification.ts';
import { classifySendGrid } from '../../../lambda/providers/sendgrid/classification.ts';
import { readFixture } from '../providers/fixtures.ts';
import { accuracy, isHeldOut, LABELS, PROVIDERS_VERDICTS, SAMPLE } from './reply-sample.ts';

describe.each(Object.entries(PROVIDERS_VERDICTS))('real replies, by %s', (_, classify) => {
  test('no soft bounce is classified as hard', () => {
    const wrong = SAMPLE.filter((reply) => reply.bounceClass === 'soft' && classify(reply.text).bounceClass === 'hard');
    expect(wrong).toEqual([]);
  });

  test.each([
    ['all', SAMPLE, 0.95, 0.85],
    ['development', SAMPLE.filter((reply) => !isHeldOut(reply)), 0.95, 0.85],
    ['held out', SAMPLE.filter(isHeldOut), 0.95, 0.79],
  ])('the class and the cause are mostly right: %s', (_part, replies, bounceClass, cause) => {
    const measured = accuracy(replies, classify);
    expect(measured.bounceClass).toBeGreaterThanOrEqual(bounceClass);
    expect(measured.cause).toBeGreaterThanOrEqual(cause);
  });
});

test('the sample agrees with the labels of its sources, or says why not', () => {
  for (const { text, bounceClass, cause, label, why } of SAMPLE) {
    if (why === undefined) expect({ text, bounceClass, cause }).toEqual({ text, cause: undefined, ...LABELS[label] });
  }
  expect(new Set(SAMPLE.map(({ label }) => label))).toEqual(new Set(Object.keys(LABELS)));
  expect(new Set(SAMPLE.map(({ text }) => text)).size).toBe(SAMPLE.length);
});

const bounceClass = z.enum(BOUNCE_CLASSES);
const reported = readFixture(
  'replies/reported.json',
  z.strictObject({
    cases: z.array(
      z.strictObject({
        source: z.string(),
        sendgrid: z.strictObject({ status: z.string(), bounce_classification: z.string() }),
        reason: z.string(),
        smtpCode: z.optional(z.string()),
        right: z.strictObject({ sendgrid: bounceClass, customersMailCloud: bounceClass }),
      }),
    ),
  }),
);

describe('replies that were reported as wrongly classified', () => {
  test.each(reported.cases)('$sendgrid.status $sendgrid.bounce_classification $reason', (reply) => {
    const { reason, sendgrid, right, smtpCode } = reply;
    const bySendGrid = classifySendGrid({
      event: 'bounce',
      type: 'bounce',
      status: sendgrid.status,
      bounceClassification: sendgrid.bounce_classification,
      reason,
    });
    expect(bySendGrid.bounceClass).toBe(right.sendgrid);
    expect(classifyCustomersMailCloud('bounces', '4', reason).bounceClass).toBe(right.customersMailCloud);
    expect(classifyCustomersMailCloud('deliveries', 'failed', reason).bounceClass).toBe(right.customersMailCloud);
    if (smtpCode !== undefined) expect(bySendGrid.smtpCode).toBe(smtpCode);
  });
});
