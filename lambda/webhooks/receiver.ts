/** Makes the handler of a receiver: it verifies a post, queues it and answers. */
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context, LambdaFunctionURLEvent } from 'aws-lambda';
import { UnreadableSecret } from '../aws/cached-secret.ts';
import { errorFields, log } from '../aws/log.ts';
import { metricFields } from '../aws/metric.ts';
import type { Provider } from '../mail/provider.ts';
import type { EventQueue } from './event-queue.ts';
import { WebhookRefusal, type WebhookRequest, webhookRequest } from './request.ts';
import type { WebhookSecret } from './webhook-secret.ts';

/** A larger post is refused. If a post is transferred as base64, AWS itself refuses it from about 4.5 MB on. */
const MAX_BODY_BYTES = 5 * 1024 * 1024;

/**
 * Limit for queueing a post, from its receipt. So it is answered within 8 s. SendGrid is said to give up after 10 s.
 */
const QUEUE_WITHIN_MS = 7_500;

export interface ReceiverOptions {
  readonly provider: Provider;
  /**
   * Verifies a post and returns its events, not yet normalized.
   *
   * @throws WebhookRefusal
   */
  readonly accept: (request: WebhookRequest, secret: WebhookSecret) => readonly unknown[];
  /** @throws UnreadableSecret */
  readonly readSecret: () => Promise<WebhookSecret>;
  readonly queue: EventQueue;
  readonly queueWithinMs?: number;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

type WebhookEvent = APIGatewayProxyEvent | LambdaFunctionURLEvent;

/**
 * The handler of a receiver. It answers as docs/design.md says under "Answers to a webhook", and logs one line per
 * request, which is also its metrics. It never throws.
 */
export function receiver(options: ReceiverOptions) {
  return async (event: WebhookEvent, context: Pick<Context, 'awsRequestId'>): Promise<APIGatewayProxyResult> => {
    const { now = Date.now } = options;
    const receivedAtMs = now();
    const request = webhookRequest(event);
    const { status, body, cause } = await receive(request, receivedAtMs, options).then(
      (received): Answer => ({ status: 200, body: { received } }),
      answerTo,
    );
    log(status < 400 ? 'info' : status < 500 ? 'warn' : 'error', 'webhook', {
      requestId: context.awsRequestId,
      status,
      bodyBytes: request.body.length,
      durationMs: now() - receivedAtMs,
      ...body,
      cause,
      ...metricFields(options.provider, status >= 400 && status < 500 ? { Refused: 1 } : {}),
    });
    return {
      statusCode: status,
      headers: { 'content-type': 'application/json', ...(status === 405 && { allow: 'POST' }) },
      body: JSON.stringify(body),
      isBase64Encoded: false,
    };
  };
}

/** @returns how many events were queued */
async function receive(request: WebhookRequest, receivedAtMs: number, options: ReceiverOptions): Promise<number> {
  const { provider, accept, readSecret, queue, queueWithinMs = QUEUE_WITHIN_MS, now = Date.now } = options;
  const { method, body } = request;
  if (method !== 'POST') throw new WebhookRefusal(405, `Cannot take ${method}: a webhook takes only POST`);
  if (body.length > MAX_BODY_BYTES) {
    throw new WebhookRefusal(413, `Cannot take a post of ${body.length} bytes: at most ${MAX_BODY_BYTES} are allowed`);
  }
  const events = accept(request, await readSecret());
  // An empty post has nothing to record.
  if (events.length > 0) {
    const signal = AbortSignal.timeout(Math.max(0, receivedAtMs + queueWithinMs - now()));
    await queue.put({ provider, receivedAtMs, events: [...events] }, signal);
  }
  return events.length;
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  /** For the log. */
  readonly cause?: ReturnType<typeof errorFields>;
}

/** The answer to a post that was not queued. */
function answerTo(error: unknown): Answer {
  if (error instanceof WebhookRefusal) return { status: error.status, body: { error: error.message } };
  if (error instanceof UnreadableSecret) {
    return {
      status: 503,
      body: { error: `Cannot verify the post: the webhook secret cannot be read: ${error.message}` },
    };
  }
  return {
    status: 503,
    body: { error: 'Cannot queue the post: the queue did not accept it; send it again' },
    cause: errorFields(error),
  };
}
