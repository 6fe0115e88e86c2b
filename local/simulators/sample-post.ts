/** Sends posts that a person wrote. */
import type { KeyObject } from 'node:crypto';
import { jsonOrUndefined } from '../json.ts';
import { signatureHeaders } from './sendgrid/webhook.ts';

/** A post that a person wrote. */
export interface SamplePost {
  readonly provider: 'sendgrid' | 'customers-mail-cloud';
  readonly contentType: string;
  readonly body: string;
}

/** What the webhook answered. */
export interface PostAnswer {
  readonly status: number;
  readonly answer: string;
}

/** Credentials and addresses of posts. */
interface PostTargets {
  /** On the curve P-256. */
  readonly privateKey: KeyObject;
  /** Undefined if the stack does not receive the provider's webhook. */
  readonly sendGridWebhookUrl: string | undefined;
  /** It replaces any api_key in the body. */
  readonly apiKey: string;
  readonly customersMailCloudWebhookUrl: string | undefined;
}

/** Posts any body to a webhook, signed as SendGrid does or with Customers Mail Cloud's `api_key`. */
export async function postSample(post: SamplePost, targets: PostTargets): Promise<PostAnswer> {
  const { provider, contentType } = post;
  const sendGrid = provider === 'sendgrid';
  const body = sendGrid ? post.body : withApiKey(post, targets.apiKey);
  const signed = sendGrid && signatureHeaders(body, targets.privateKey, Date.now());
  const url = sendGrid ? targets.sendGridWebhookUrl : targets.customersMailCloudWebhookUrl;
  if (url === undefined) throw new Error(`Cannot post: the setting providers leaves ${provider} out`);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': contentType, ...signed },
    body,
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, answer: await response.text() };
}

/** A body that is neither a form nor a JSON object is posted unchanged. */
function withApiKey({ contentType, body }: SamplePost, apiKey: string): string {
  if (contentType.startsWith('application/x-www-form-urlencoded')) {
    const form = new URLSearchParams(body);
    form.set('api_key', apiKey);
    return form.toString();
  }
  const fields = jsonOrUndefined(body);
  const isObject = typeof fields === 'object' && fields !== null && !Array.isArray(fields);
  return isObject ? JSON.stringify({ ...fields, api_key: apiKey }) : body;
}
