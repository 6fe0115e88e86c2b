/** A webhook post, whichever AWS service it came through. */
export interface WebhookRequest {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as they were sent. */
  readonly body: Buffer;
}

/** An answer other than 200, thrown by whatever finds the reason for it. */
export class Refusal extends Error {
  readonly status: number;

  /**
   * @param status HTTP status
   * @param message goes to the provider: `Cannot …: …`, and never holds a secret or what was sent
   */
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** The content type without its parameters, in lower case. */
export function mediaType(request: WebhookRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** More events than this are no honest post: SendGrid's largest holds about 2,500, Customers Mail Cloud's 100. */
export const MAX_EVENTS = 10_000;

/** @throws Refusal 413 */
export function refuseTooManyEvents(count: number): void {
  if (count > MAX_EVENTS) {
    throw new Refusal(413, `Cannot record ${count} events at once: at most ${MAX_EVENTS} are taken in one post`);
  }
}

/** @throws Refusal 400 */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Refusal(400, `Cannot read ${what}: it is not JSON`, { cause });
  }
}
