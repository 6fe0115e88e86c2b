/** What no schema says of a request of Mail Send. */
import { MESSAGES } from './errors.ts';
import { customArgsOf, type MailSendRequest, type Personalization, recipientsOf } from './request.ts';

const MAX_PERSONALIZATIONS = 1_000;
const MAX_RECIPIENTS = 1_000;
/** The stricter of the two that are documented: the page of errors says 50,000 bytes. */
const MAX_CUSTOM_ARGS_BYTES = 10_000;
const TEXT_TYPES = ['text/plain', 'text/html'];

/** What is wrong with a field. */
interface Problem {
  readonly path: (string | number)[];
  readonly message: string;
}

/** What SendGrid refuses in a request whose fields are all there. */
export function problemsOf(request: MailSendRequest): Problem[] {
  return [...problemsOfContent(request), ...problemsOfPersonalizations(request)];
}

function* problemsOfContent({ subject, personalizations, content, template_id }: MailSendRequest): Iterable<Problem> {
  if (template_id === undefined) {
    if (!subject && !personalizations.every((personalization) => personalization.subject)) {
      yield { path: ['subject'], message: MESSAGES.subject };
    }
    if (content.length === 0) yield { path: ['content'], message: MESSAGES.content };
  }
  const types = content.map(({ type }) => type.toLowerCase());
  const texts = types.filter((type) => TEXT_TYPES.includes(type));
  const others = types.filter((type) => !TEXT_TYPES.includes(type));
  if (new Set(texts).size < texts.length) yield { path: ['content'], message: MESSAGES.contentTwice };
  else if (types.join() !== [...TEXT_TYPES.filter((type) => texts.includes(type)), ...others].join()) {
    yield { path: ['content'], message: MESSAGES.contentOrder };
  }
}

function* problemsOfPersonalizations(request: MailSendRequest): Iterable<Problem> {
  const { personalizations } = request;
  if (personalizations.length > MAX_PERSONALIZATIONS) {
    yield { path: ['personalizations'], message: MESSAGES.tooManyPersonalizations(personalizations.length) };
  } else if (personalizations.flatMap(recipientsOf).length > MAX_RECIPIENTS) {
    yield { path: ['personalizations'], message: MESSAGES.recipients };
  }
  for (const [index, personalization] of personalizations.entries()) {
    const path = ['personalizations', index];
    const duplicate = firstDuplicate(personalization);
    if (duplicate) {
      yield { path, message: MESSAGES.duplicate(duplicate.email, [...path, duplicate.list].join('.')) };
    }
    const customArgsBytes = Buffer.byteLength(JSON.stringify(customArgsOf(request, personalization)));
    if (customArgsBytes > MAX_CUSTOM_ARGS_BYTES) {
      yield { path: [...path, 'custom_args'], message: MESSAGES.customArgs };
    }
  }
}

function firstDuplicate(personalization: Personalization) {
  const recipients = recipientsOf(personalization);
  const keys = recipients.map(({ email }) => email.toLowerCase());
  return recipients.find((_, index) => keys.indexOf(keys[index] ?? '') < index);
}
