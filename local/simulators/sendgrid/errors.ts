/** SendGrid's error answers, in its words. */
import type * as z from 'zod';
import { type HttpAnswer, jsonAnswer } from '../../http.ts';

/** One entry of a refused request's `errors`. */
export interface SendGridError {
  readonly message: string;
  /** The path of the field, `personalizations.0.to`; null where it is about the request as a whole. */
  readonly field: string | null;
  readonly help: string | null;
}

/** An answer with these errors, as the API words them. */
export function errorsAnswer(status: number, errors: readonly Partial<SendGridError>[]): HttpAnswer {
  return jsonAnswer(status, { errors });
}

/** An answer about the request as a whole. */
export function problem(status: number, message: string): HttpAnswer {
  return errorsAnswer(status, [{ message, field: null, help: null }]);
}

const HELP = 'http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html';

/** The `errors` for what a schema found. */
export function sendGridErrors(error: z.ZodError): SendGridError[] {
  return error.issues.map(({ path, message }) => ({
    message,
    field: path.length > 0 ? path.join('.') : null,
    help: HELP,
  }));
}
