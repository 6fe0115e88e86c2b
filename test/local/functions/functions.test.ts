import { readFile } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import { createFunctions, type FunctionsOptions } from '../../../local/functions/functions.ts';
import type { LocalFunction } from '../../../local/functions/local-function.ts';
import { temporaryDataFolder, whenFinished } from '../../temporary.ts';
import { bundle, REGION, resolve } from '../support.ts';

/** One function `Work` with this code, as a template defines it. */
async function functionOf(
  handlerBody: string,
  properties: object = {},
  options: Partial<FunctionsOptions> & { before?: string } = {},
) {
  const folder = await temporaryDataFolder();
  const reported: string[] = [];
  const template = resolve({
    Resources: {
      Work: {
        Type: 'AWS::Lambda::Function',
        Properties: {
          Code: { S3Key: 'work.zip' },
          Handler: 'index.handler',
          Runtime: 'nodejs24.x',
          ...properties,
        },
      },
    },
  });
  const functions = createFunctions({
    template,
    assetDirectories: new Map([['work.zip', await bundle(handlerBody, options.before)]]),
    folder,
    wiring: {
      region: REGION,
      dynamoDbEndpoint: 'http://127.0.0.1:8788',
      awsApiOrigin: 'http://127.0.0.1:9999',
      overrides: {},
      ...options.wiring,
    },
    report: (line) => reported.push(line),
  });
  const work = functions.get('arn:aws:lambda:ap-northeast-1:000000000000:function:Todoke-Work-local');
  if (work === undefined) throw new Error('Cannot test: there is no function');
  whenFinished(() => work.stop(0));
  const log = () => readFile(folder.path('logs', 'Work.log'), 'utf8');
  return { work, reported, log };
}

const payloadOf = async (work: LocalFunction, event: unknown = {}) => (await work.invoke(event)).payload;

describe('a function', () => {
  test('gets the event, and its result is passed as JSON', async () => {
    const { work } = await functionOf('return { got: event, left: undefined, at: new Date(0) };');
    expect(await payloadOf(work, { text: '届け' })).toEqual({ got: { text: '届け' }, at: '1970-01-01T00:00:00.000Z' });
  });

  test("gets the template’s and Lambda's environment variables, and none of the shell", async () => {
    vi.stubEnv('SOMEBODY_ELSES', 'secret');
    whenFinished(() => vi.unstubAllEnvs());
    const variables = { MAIL_TABLE: 'mail', SENDGRID_API_URL: 'https://api.sendgrid.com' };
    const { work } = await functionOf(
      'return process.env;',
      { Environment: { Variables: variables }, MemorySize: 512 },
      {
        wiring: {
          region: REGION,
          dynamoDbEndpoint: 'http://127.0.0.1:8788',
          awsApiOrigin: 'http://127.0.0.1:9999',
          extraCaCertificates: '/dev/null',
          overrides: { SENDGRID_API_URL: 'http://127.0.0.1:8789' },
        },
      },
    );
    const environment = await payloadOf(work);
    expect(environment).toMatchObject({
      MAIL_TABLE: 'mail',
      SENDGRID_API_URL: 'http://127.0.0.1:8789',
      AWS_REGION: REGION,
      AWS_LAMBDA_FUNCTION_NAME: 'Todoke-Work-local',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_ACCESS_KEY_ID: 'Work',
      AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:8788',
      AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:9999',
      NODE_EXTRA_CA_CERTS: '/dev/null',
      TZ: ':UTC',
    });
    expect(environment).not.toHaveProperty('SOMEBODY_ELSES');
    expect(environment).not.toHaveProperty('HOME');
  });

  test('is not started if no function uses an override, because mail might go to the real provider', async () => {
    const wiring = {
      region: REGION,
      dynamoDbEndpoint: '',
      awsApiOrigin: '',
      overrides: { SENDGRID_API_URL: 'http://127.0.0.1:1' },
    };
    await expect(functionOf('', {}, { wiring })).rejects.toThrow('Cannot override SENDGRID_API_URL');
  });

  test('gets a context', async () => {
    const { work } = await functionOf('return { ...context, left: context.getRemainingTimeInMillis() };', {
      Timeout: 30,
    });
    const { payload, requestId } = await work.invoke({});
    expect(payload).toMatchObject({
      awsRequestId: requestId,
      functionName: 'Todoke-Work-local',
      functionVersion: '$LATEST',
      invokedFunctionArn: 'arn:aws:lambda:ap-northeast-1:000000000000:function:Todoke-Work-local',
      memoryLimitInMB: '128',
      left: expect.closeTo(30_000, -3),
    });
  });

  test('keeps a warm process, with its memory', async () => {
    const { work } = await functionOf('return ++calls;', {}, { before: 'let calls = 0;' });
    expect([await payloadOf(work), await payloadOf(work)]).toEqual([1, 2]);
  });

  test('logs with time and request', async () => {
    const { work, log } = await functionOf('console.log("hello"); console.error("problem");');
    const { requestId } = await work.invoke({});
    await vi.waitFor(async () => {
      expect(await log()).toMatch(new RegExp(`^\\d{4}-.*Z ${requestId} hello$`, 'm'));
      expect(await log()).toMatch(new RegExp(`^\\d{4}-.*Z ${requestId} problem$`, 'm'));
    });
  });
});

describe('a failing function', () => {
  test('that throws an error keeps its process', async () => {
    const { work, reported } = await functionOf(
      'calls++; if (event.fail) throw new TypeError("broken"); return calls;',
      {},
      { before: 'let calls = 0;' },
    );
    await expect(work.invoke({ fail: true })).rejects.toMatchObject({ message: 'broken', errorType: 'TypeError' });
    expect(await payloadOf(work)).toBe(2);
    expect(reported).toEqual([expect.stringContaining('Work failed: broken (request ')]);
  });

  test('that crashes fails only that invocation', async () => {
    const { work } = await functionOf('if (event.crash) process.exit(3); return "fine";');
    const crash = work.invoke({ crash: true });
    await expect(crash).rejects.toMatchObject({
      errorType: 'Runtime.ExitError',
      message: 'Runtime exited with error: exit status 3',
    });
    expect(await payloadOf(work)).toBe('fine');
  });

  test("that takes longer than its template's timeout is killed", async () => {
    const { work } = await functionOf('if (event.hang) for (;;); return process.pid;', { Timeout: 0.2 });
    const before = await payloadOf(work);
    await expect(work.invoke({ hang: true })).rejects.toMatchObject({
      errorType: 'Sandbox.Timedout',
      message: 'Task timed out after 0.20 seconds',
    });
    expect(await payloadOf(work)).not.toBe(before);
  });

  test('that cannot be loaded says why', async () => {
    const { work } = await functionOf('', {}, { before: 'throw new Error("no configuration");' });
    await expect(work.invoke({})).rejects.toThrow('no configuration');
  });

  test('that has no such handler says so', async () => {
    const { work } = await functionOf('', { Handler: 'index.other' });
    await expect(work.invoke({})).rejects.toThrow('index.other is undefined or not exported');
  });
});

describe('concurrent invocations', () => {
  test('run in separate processes', async () => {
    const { work } = await functionOf('return process.pid;');
    const pids = await Promise.all([payloadOf(work), payloadOf(work), payloadOf(work)]);
    expect(new Set(pids).size).toBe(3);
  });

  test('wait for the reserved concurrency, or are refused if the caller does not wait', async () => {
    const { work } = await functionOf('return process.pid;', { ReservedConcurrentExecutions: 1 });
    const [first, second] = [payloadOf(work), payloadOf(work)];
    await expect(work.invoke({}, 'refuse')).rejects.toMatchObject({ name: 'ThrottledError' });
    expect(await first).toBe(await second);
  });

  test('are finished before a stop, and new ones are refused', async () => {
    const { work } = await functionOf('await new Promise((done) => setTimeout(done, event.ms)); return "done";');
    await work.invoke({ ms: 0 });
    const running = payloadOf(work, { ms: 50 });
    const stopped = work.stop(5_000);
    await expect(work.invoke({ ms: 0 })).rejects.toThrow('local mode is stopping');
    expect(await running).toBe('done');
    await stopped;
  });
});
