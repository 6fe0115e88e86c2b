/**
 * Runs in a process of its own, as Lambda's runtime does: loads one handler, then takes one invocation after another.
 * Plain Node runs it, after the types are taken out; so it imports types only.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Context } from 'aws-lambda';
import type { FromWorker, ToWorker, WorkerError } from './worker-process.ts';

type Handler = (event: unknown, context: Context) => unknown;

const send = (message: FromWorker) => process.send?.(message);

/** `index.handler`: the export `handler` of `index.js`, `.mjs` or `.cjs` in the function's folder. */
async function loadHandler(): Promise<Handler> {
  const [root = '', name = ''] = [process.env['LAMBDA_TASK_ROOT'], process.env['_HANDLER']];
  const dot = name.lastIndexOf('.');
  const [module, exported] = [join(root, name.slice(0, dot)), name.slice(dot + 1)];
  const file = ['.js', '.mjs', '.cjs'].map((ending) => module + ending).find((path) => existsSync(path));
  if (file === undefined) throw new Error(`Cannot find module '${module}'`);
  const loaded: unknown = await importOrRequire(file);
  const handler = isObject(loaded) ? loaded[exported] : undefined;
  if (!isHandler(handler)) throw new Error(`${name} is undefined or not exported`);
  return handler;
}

/** `import` finds the exports of minified CommonJS by guessing; `require` knows them. */
async function importOrRequire(file: string): Promise<unknown> {
  try {
    return createRequire(file)(file);
  } catch (error) {
    if (toWorkerError(error).code !== 'ERR_REQUIRE_ESM') throw error;
    return import(pathToFileURL(file).href);
  }
}

function contextOf({ requestId, deadlineMs, functionArn }: ToWorker): Context {
  const environment = (name: string) => process.env[name] ?? '';
  const unsupported = () => {
    throw new Error('Cannot use callbacks: the Node.js 24 runtime has none; return a promise');
  };
  return {
    awsRequestId: requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName: environment('AWS_LAMBDA_FUNCTION_NAME'),
    functionVersion: environment('AWS_LAMBDA_FUNCTION_VERSION'),
    invokedFunctionArn: functionArn,
    logGroupName: environment('AWS_LAMBDA_LOG_GROUP_NAME'),
    logStreamName: environment('AWS_LAMBDA_LOG_STREAM_NAME'),
    memoryLimitInMB: environment('AWS_LAMBDA_FUNCTION_MEMORY_SIZE'),
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
    done: unsupported,
    fail: unsupported,
    succeed: unsupported,
  };
}

function toWorkerError(thrown: unknown): WorkerError & { code?: unknown } {
  if (!(thrown instanceof Error)) return { errorType: typeof thrown, errorMessage: String(thrown) };
  const code = 'code' in thrown ? { code: thrown.code } : {};
  return { errorType: thrown.name, errorMessage: thrown.message, ...code };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isHandler = (value: unknown): value is Handler => typeof value === 'function';

try {
  const handler = await loadHandler();
  process.on('message', async (message: ToWorker) => {
    const { requestId } = message;
    try {
      const result = await handler(JSON.parse(message.event), contextOf(message));
      send({ type: 'result', requestId, payload: JSON.stringify(result) ?? 'null' });
    } catch (error) {
      console.error(error);
      send({ type: 'error', requestId, error: toWorkerError(error) });
    }
  });
  send({ type: 'ready' });
} catch (error) {
  console.error(error);
  send({ type: 'unusable', error: toWorkerError(error) });
}
