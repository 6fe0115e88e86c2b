/** The frame of both receivers: from AWS's event to an answer, a line of the log, and metrics. */
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context, LambdaFunctionURLEvent } from 'aws-lambda';
import { errorFields, log } from '../aws/log.ts';
import { type Counts, metricFields } from '../aws/metric.ts';
import { UnreadableSecret } from '../aws/secrets.ts';
import type { MailEvent } from '../mail/event.ts';
import type { Provider } from '../mail/provider.ts';
import { eventCounts } from '../recording/event-counts.ts';
import type { Recorded, RecordedCounts } from '../recording/record-events.ts';
import { WebhookRefusal, type WebhookRequest } from './request.ts';

/** A post that is larger than this is refused. One that travels as base64 is turned away by AWS from about 4.5 MB on. */
const MAX_BODY_BYTES = 5 * 1024 * 1024;

/** The receivers answer within 8 s: SendGrid is said to give up after 10. */
const WORK_MS = 7_000;

export interface WebhookAnswer {
  readonly body: RecordedCounts | { readonly spilled: true };
  /** For the metrics. */
  readonly counts: Counts;
}

/** The answer to a post whose events were recorded. */
export function recordedAnswer(events: readonly MailEvent[], recorded: Recorded): WebhookAnswer {
  const { unmatched, ...body } = recorded;
  return { body, counts: eventCounts(events, unmatched) };
}

/** What makes an answer of a post: gets the post, when it came (Unix milliseconds), and the signal that time is up. */
export type Receive = (request: WebhookRequest, receivedAtMs: number, signal: AbortSignal) => Promise<WebhookAnswer>;

/**
 * The handler of a receiver: adapts what API Gateway (REST proxy) or a function URL (payload 2.0) passes on, answers
 * what the design's table says, and logs one line a request, which counts in the provider's metrics. It never throws.
 */
export function webhookHandler(provider: Provider, receive: Receive) {
  return async (event: APIGatewayProxyEvent | LambdaFunctionURLEvent, context: Pick<Context, 'awsRequestId'>) => {
    const receivedAtMs = Date.now();
    const request = webhookRequest(event);
    const { status, body, counts, cause } = await answer(() => {
      refuseByEnvelope(request);
      return receive(request, receivedAtMs, AbortSignal.timeout(WORK_MS));
    });
    log(status < 400 ? 'info' : status < 500 ? 'warn' : 'error', 'webhook', {
      requestId: context.awsRequestId,
      status,
      bodyBytes: request.body.length,
      durationMs: Date.now() - receivedAtMs,
      ...body,
      cause,
      ...metricFields(provider, counts),
    });
    return {
      statusCode: status,
      headers: { 'content-type': 'application/json', ...(status === 405 && { allow: 'POST' }) },
      body: JSON.stringify(body),
      isBase64Encoded: false,
    } satisfies APIGatewayProxyResult;
  };
}

interface Answer {
  readonly status: number;
  readonly body: object;
  readonly counts: Counts;
  /** For the log. */
  readonly cause?: ReturnType<typeof errorFields>;
}

async function answer(work: () => Promise<WebhookAnswer>): Promise<Answer> {
  try {
    return { status: 200, ...(await work()) };
  } catch (error) {
    if (error instanceof WebhookRefusal) {
      const counts = error.status === 401 ? { Refused: 1 } : {};
      return { status: error.status, body: { error: error.message }, counts };
    }
    if (error instanceof UnreadableSecret) {
      return {
        status: 503,
        body: { error: `Cannot verify the post: the webhook secret cannot be read: ${error.message}` },
        counts: {},
      };
    }
    return {
      status: 503,
      body: { error: 'Cannot record the post: it could not be stored; send it again' },
      counts: {},
      cause: errorFields(error),
    };
  }
}

/** What can be refused without looking into the body, cheapest first. */
function refuseByEnvelope({ method, body }: WebhookRequest): void {
  if (method !== 'POST') throw new WebhookRefusal(405, `Cannot ${method} a webhook: it takes POST only`);
  if (body.length > MAX_BODY_BYTES) {
    throw new WebhookRefusal(413, `Cannot take a post of ${body.length} bytes: at most ${MAX_BODY_BYTES} are taken`);
  }
}

function webhookRequest(event: APIGatewayProxyEvent | LambdaFunctionURLEvent): WebhookRequest {
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
