/** A webhook post, how it is read, and why it is refused. */
import { parseJsonBytes } from '../mail/parse-json.ts';

/** A webhook post, whichever AWS service it came through. */
export interface WebhookRequest {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as they were sent. */
  readonly body: Buffer;
}

/** An answer other than 200, thrown by whatever finds the reason for it. */
export class WebhookRefusal extends Error {
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
  return (request.headers['content-type'] ?? '').replace(/;.*/s, '').trim().toLowerCase();
}

/** More events than this are no honest post: SendGrid's largest holds about 2,500, Customers Mail Cloud's 100. */
const MAX_EVENTS = 10_000;

/** @throws WebhookRefusal 413 */
export function refuseTooManyEvents(count: number): void {
  if (count > MAX_EVENTS) {
    throw new WebhookRefusal(413, `Cannot record ${count} events at once: at most ${MAX_EVENTS} are taken in one post`);
  }
}

/**
 * The JSON that a provider sent, as bytes or as a text.
 *
 * @throws WebhookRefusal 400
 */
export function parseJson(json: Buffer | string, what: string): unknown {
  try {
    return typeof json === 'string' ? JSON.parse(json) : parseJsonBytes(json);
  } catch (cause) {
    throw new WebhookRefusal(400, `Cannot read ${what}: it is not JSON`, { cause });
  }
}

/**
 * The fields of an `application/x-www-form-urlencoded` text. The same as URLSearchParams gives, in a third of its time;
 * what it reads leniently is left to it.
 */
export function parseForm(text: string): Readonly<Record<string, string>> {
  const decode = (part: string) => decodeURIComponent(part.replaceAll('+', ' '));
  try {
    const pairs = text.split('&').filter((pair) => pair !== '');
    return Object.fromEntries(
      pairs.map((pair) => {
        const [name = ''] = pair.split('=', 1);
        return [decode(name), decode(pair.slice(name.length + 1))];
      }),
    );
  } catch {
    return Object.fromEntries(new URLSearchParams(text));
  }
}
