/** Webhook requests, and what refuses them. */
import { expect } from 'vitest';
import { WebhookRefusal, type WebhookRequest } from '../../../lambda/webhooks/request.ts';

/** The content type of SendGrid's posts. */
export const JSON_TYPE = { 'content-type': 'application/json;charset=utf-8' };

/** A post as a receiver gets it. */
export function post(body: string | Buffer, headers: Readonly<Record<string, string>> = {}): WebhookRequest {
  return { method: 'POST', headers, body: Buffer.from(body) };
}

/** Fails unless `work` refuses with this status. @returns the message */
export function refusalOf(work: () => unknown, status: number): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(WebhookRefusal);
    expect(error).toMatchObject({ status, message: expect.stringMatching(/^Cannot .+: .+/) });
    return String(error);
  }
  return expect.fail(`was accepted instead of refused with ${status}`);
}
