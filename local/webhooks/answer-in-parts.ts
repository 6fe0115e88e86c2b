/** Makes an HTTP answer from a function's answer that is an object with status, headers and body. */
import * as z from 'zod';
import type { HttpAnswer } from '../http.ts';

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

/** The fields that function URLs and REST APIs share. */
export const answerInParts = z.object({
  statusCode: z.coerce.number().int().min(100).max(599),
  headers: z.record(z.string(), scalar).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
});

/** @param headers all headers; without a content type the body is JSON */
export function httpAnswer(
  { statusCode, body, isBase64Encoded }: z.infer<typeof answerInParts>,
  headers: NonNullable<HttpAnswer['headers']>,
): HttpAnswer {
  const hasType = headers.some(([name]) => name.toLowerCase() === 'content-type');
  return {
    status: statusCode,
    headers: hasType ? headers : [...headers, ['Content-Type', 'application/json']],
    body: Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8'),
  };
}
