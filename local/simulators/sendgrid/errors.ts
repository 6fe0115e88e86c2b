/** SendGrid's errors, in its words. */
import type * as z from 'zod';
import { type HttpAnswer, jsonAnswer } from '../../http.ts';

/** One entry of a refused request's `errors`. */
export interface SendGridError {
  readonly message: string;
  /** The path of the field, `personalizations.0.to`; null where it is about the request as a whole. */
  readonly field: string | null;
  readonly help: string | null;
}

/**
 * What Mail Send answers with 400: the wording of https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors,
 * and where the API itself words it otherwise, of its answers as quoted in the issues of SendGrid's libraries.
 */
export const MESSAGES = {
  address: 'Does not contain a valid address.',
  content:
    'Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block. We typically suggest both text/plain and text/html blocks are included, but only one block is required.',
  contentOrder:
    'Following RFC 1341, section 7.2, if either text/html or text/plain are to be sent in your email: text/plain needs to be first, followed by text/html, followed by any other content.',
  contentTwice: 'If present, text/plain and text/html may only be provided once.',
  contentType: 'Your content type must be a string with length of at least one character.',
  contentValue: 'The content value must be a string at least one character in length.',
  customArgs:
    'The combined size of both global and personalization custom arguments may not exceed 10,000 bytes per personalization.',
  duplicate: (email: string, field: string) =>
    `Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate instance of [${email}] in the ${field} field.`,
  from: 'The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or {"email" : "example@example.com", "name" : "Example Recipient"}.',
  personalizations: 'The personalizations field is required and must have at least one personalization.',
  recipients: 'There is a limit of 1000 total recipients (to + cc + bcc) per request.',
  replyTo:
    'The reply_to object, when used, must at least have an email parameter with a valid email address and may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or {"email" : "example@example.com", "name" : "Example Recipient"}.',
  subject:
    'The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization has a subject defined.',
  to: 'The to array is required for all personalization objects, and must have at least one email object with a valid email address.',
  toEmail: 'The to email parameter is required.',
  tooManyPersonalizations: (count: number) =>
    `The personalization block is limited to 1000 personalizations per API request. You have provided ${count} personalizations. Please consider splitting this into multiple requests and resending your request.`,
};

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
    help: helpFor(path),
  }));
}

/** The message for a value of the wrong JSON type; a missing one has a message of its own in {@link MESSAGES}. */
export function wrongType(issue: z.core.$ZodRawIssue): string {
  if (issue.code !== 'invalid_type') return 'Bad Request';
  const expected = issue.expected === 'record' ? 'object' : issue.expected;
  return `Invalid type. Expected: ${expected}, given: ${jsonType(issue.input)}.`;
}

function helpFor(path: readonly PropertyKey[]): string | null {
  const [first, second] = path.filter((part) => typeof part === 'string');
  if (first === undefined) return null;
  if (first !== 'personalizations' && first !== 'content') return `${HELP}#message.${first}`;
  if (second !== undefined) return `${HELP}#message.${first}.${second}`;
  if (first === 'content') return `${HELP}#message.content`;
  return path.length > 1 ? `${HELP}#message.recipient-errors` : `${HELP}#-Personalizations-Errors`;
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}
