/** Reads the HTTP request of a webhook, and refuses it with a status and a message. */
import type { APIGatewayProxyEvent, LambdaFunctionURLEvent } from 'aws-lambda';

/** A webhook post, whichever AWS service it came through. */
export interface WebhookRequest {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as they were sent. */
  readonly body: Buffer;
}

/** An answer other than 200, thrown by the code that finds the reason for it. */
export class WebhookRefusal extends Error {
  readonly status: number;

  /**
   * @param status HTTP status
   * @param message is sent to the provider. It has the form `Cannot …: …`, and never contains a secret or a part of the
   * post
   */
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** The request in an event of API Gateway (REST proxy) or of a function URL (payload 2.0). */
export function webhookRequest(event: APIGatewayProxyEvent | LambdaFunctionURLEvent): WebhookRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(event.headers ?? {})) {
    if (value !== undefined) headers[name.toLowerCase()] = value;
  }
  return {
    method: 'httpMethod' in event ? event.httpMethod : event.requestContext.http.method,
    headers,
    body: Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8'),
  };
}

/** The content type without its parameters, in lower case. */
export function mediaType(request: WebhookRequest): string {
  return (request.headers['content-type'] ?? '').replace(/;.*/s, '').trim().toLowerCase();
}

/** SendGrid's largest post holds about 2,500 events, Customers Mail Cloud's 100. */
const MAX_EVENTS = 10_000;

/** @throws WebhookRefusal 413 */
export function refuseTooManyEvents(count: number): void {
  if (count > MAX_EVENTS) {
    throw new WebhookRefusal(413, `Cannot take ${count} events at once: at most ${MAX_EVENTS} are allowed in one post`);
  }
}

/**
 * Parses JSON that a provider sent.
 *
 * @param what is named in the message: `the post`, or a field
 * @throws WebhookRefusal 400
 */
export function parseJson(json: string, what: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new WebhookRefusal(400, `Cannot read ${what}: it is not JSON`, { cause });
  }
}
