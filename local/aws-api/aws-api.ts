/** The HTTP server that stands in for Secrets Manager, SQS and EventBridge. */
import { createServer } from 'node:http';
import * as z from 'zod';
import { messageOf } from '../files.ts';
import { type HttpAnswer, jsonAnswer, readRequest, sendAnswer } from '../http.ts';
import { closeServer, listen, originOf } from '../ports.ts';

/** An error in AWS's form: the caller's SDK shows name and message. */
export class AwsApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One call, such as `AmazonSQS.SendMessage`: what it takes as JSON, by whose access key, and what it answers. */
export type AwsCall = (input: unknown, caller: string) => Promise<Record<string, unknown>>;

/** Longer than any call here may be: SQS takes 1 MiB, in JSON that may have escaped every character. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

interface AwsApi {
  readonly origin: string;
  /** What it answers from now on, by the value of the header `X-Amz-Target`. */
  answer(calls: Readonly<Record<string, AwsCall>>): void;
  stop(): Promise<void>;
}

/**
 * Answers the AWS calls that functions make besides DynamoDB's, in AWS's JSON protocols 1.0 and 1.1. Any other call
 * is an error that names it.
 */
export async function startAwsApi(): Promise<AwsApi> {
  let calls: Readonly<Record<string, AwsCall>> = {};
  const server = createServer(async (message, response) => {
    const target = String(message.headers['x-amz-target'] ?? `${message.method} ${message.url}`);
    try {
      const { body } = await readRequest(message, MAX_BODY_BYTES);
      const caller = /Credential=([^/]+)/.exec(message.headers.authorization ?? '')?.[1] ?? 'nobody';
      sendAnswer(response, await answerCall(calls[target], target, body, caller));
    } catch (error) {
      sendAnswer(response, errorAnswer(500, 'InternalFailure', messageOf(error)));
    }
  });
  const port = await listen(server, 0, 'Secrets Manager, SQS and EventBridge');
  return {
    origin: originOf(port),
    answer(newCalls) {
      calls = newCalls;
    },
    stop: () => closeServer(server),
  };
}

async function answerCall(
  call: AwsCall | undefined,
  target: string,
  body: Buffer,
  caller: string,
): Promise<HttpAnswer> {
  if (call === undefined) return errorAnswer(400, 'UnknownOperationException', `Local mode does not answer ${target}`);
  try {
    return {
      status: 200,
      headers: [['Content-Type', 'application/x-amz-json-1.0']],
      body: JSON.stringify(await call(JSON.parse(body.toString()), caller)),
    };
  } catch (error) {
    if (error instanceof AwsApiError) return errorAnswer(400, error.code, error.message);
    if (error instanceof z.ZodError)
      return errorAnswer(400, 'ValidationException', `${target}: ${z.prettifyError(error)}`);
    throw error;
  }
}

const errorAnswer = (status: number, code: string, message: string) =>
  jsonAnswer(status, { __type: code, message }, [['x-amzn-ErrorType', code]]);
