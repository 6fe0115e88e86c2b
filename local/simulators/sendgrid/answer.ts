/** Answers in SendGrid's form. */
import type { SendGridError } from './errors.ts';

/** What the API answers. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export function json(status: number, body: unknown): Answer {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

export function errors(status: number, errors: readonly Partial<SendGridError>[]): Answer {
  return json(status, { errors });
}

export function problem(status: number, message: string): Answer {
  return errors(status, [{ message, field: null, help: null }]);
}

/** The body of a request; undefined where it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
