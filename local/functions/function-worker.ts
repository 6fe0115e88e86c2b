/**
 * Runs in a process of its own, as Lambda's runtime does: loads one handler, then takes one invocation after another.
 * Plain Node runs it after the types are stripped, so it imports only types from other files of the project.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Context } from 'aws-lambda';
import type { FromWorker, ToWorker, WorkerError } from './worker-process.ts';

type Handler = (event: unknown, context: ReturnType<typeof contextOf>) => unknown;

const send = (message: FromWorker) => process.send?.(message);

/** `index.handler`: the export `handler` of `index.js` in the function's folder. */
function loadHandler(): Handler {
  const [root = '', name = ''] = [process.env['LAMBDA_TASK_ROOT'], process.env['_HANDLER']];
  const [module = '', exported = ''] = name.split('.');
  // `import` finds the exports of minified CommonJS by guessing; `require` knows them.
  const loaded: unknown = createRequire(import.meta.url)(join(root, module));
  const handler = isObject(loaded) ? loaded[exported] : undefined;
  if (!isHandler(handler)) throw new Error(`${name} is undefined or not exported`);
  return handler;
}

/** Without the callbacks that the Node.js 24 runtime no longer has. */
function contextOf({ requestId, deadlineMs, functionArn }: ToWorker): Omit<Context, 'done' | 'fail' | 'succeed'> {
  const environment = (name: string) => process.env[name] ?? '';
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
  };
}

function toWorkerError(thrown: unknown): WorkerError {
  if (!(thrown instanceof Error)) return { errorType: typeof thrown, errorMessage: String(thrown) };
  return { errorType: thrown.name, errorMessage: thrown.message };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isHandler = (value: unknown): value is Handler => typeof value === 'function';

try {
  const handler = loadHandler();
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
