/** Answers the calls that set up Event Webhooks. */
import * as z from 'zod';
import { type HttpAnswer, jsonAnswer } from '../../http.ts';
import { errorsAnswer, problem } from './errors.ts';
import { type EventWebhook, type EventWebhooks, publicKeyOf, webhookSettings } from './event-webhooks.ts';

/** A request below `/v3/user/webhooks/event`. */
export interface WebhookApiRequest {
  /** Such as `GET /settings/all`. */
  readonly call: string;
  /** Parsed; undefined where there is none. */
  readonly body: unknown;
}

const signature = z.object({ enabled: z.boolean() });
const testRequest = z.object({ id: z.string().optional(), url: z.url() });

/**
 * The calls with which the setup and the doctor set Event Webhooks up, as SendGrid answers them.
 *
 * @param test posts samples to a URL, as a webhook would
 * @see https://www.twilio.com/docs/sendgrid/api-reference/webhooks
 */
export function answerWebhookCall(
  { call, body }: WebhookApiRequest,
  webhooks: EventWebhooks,
  test: (url: string, webhook: EventWebhook | undefined) => void,
): HttpAnswer {
  const [, method, path = '', id = ''] =
    /^(\w+) (\/settings\/signed|\/settings|\/test)(?:\/([\w-]+))?$/.exec(call) ?? [];
  const webhook = webhooks.find(id);
  switch (`${method} ${path}`) {
    case 'GET /settings':
      if (id !== 'all') return problem(404, 'not found');
      return jsonAnswer(200, { max_allowed: 5, webhooks: webhooks.list().map(shown) });
    case 'POST /settings':
      return read(webhookSettings, body, (settings) => {
        const created = webhooks.create(settings);
        return 'refusal' in created
          ? errorsAnswer(400, [{ message: created.refusal }])
          : jsonAnswer(201, shown(created));
      });
    case 'PATCH /settings':
      return read(webhookSettings, body, (settings) => {
        const changed = webhooks.change(id, { settings });
        return changed ? jsonAnswer(200, shown(changed)) : NOT_FOUND;
      });
    case 'DELETE /settings':
      webhooks.delete(id);
      return webhook ? { status: 204 } : NOT_FOUND;
    case 'PATCH /settings/signed':
      return read(signature, body, ({ enabled: signed }) => {
        const changed = webhooks.change(id, { signed });
        return changed ? jsonAnswer(200, { id, public_key: signed ? publicKeyOf(changed) : '' }) : NOT_FOUND;
      });
    case 'POST /test':
      return read(testRequest, body, ({ id: tested = '', url }) => {
        test(url, webhooks.find(tested));
        return { status: 204 };
      });
    default:
      return problem(404, 'not found');
  }
}

const NOT_FOUND = errorsAnswer(404, [{ message: 'Invalid id provided.' }]);

function read<T>(schema: z.ZodType<T>, body: unknown, answer: (value: T) => HttpAnswer): HttpAnswer {
  const { data, error } = schema.safeParse(body);
  return error ? errorsAnswer(400, [{ message: z.prettifyError(error) }]) : answer(data);
}

/** The public key is there only while the webhook signs. */
function shown(webhook: EventWebhook) {
  return { ...webhook.settings, id: webhook.id, ...(webhook.signed && { public_key: publicKeyOf(webhook) }) };
}
