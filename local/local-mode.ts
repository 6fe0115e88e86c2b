/** Starts and stops the stack on this machine. */
import { rm } from 'node:fs/promises';
import { ALLOW_ALL, type Authorize } from './access.ts';
import { startAwsApi } from './aws-api/aws-api.ts';
import { eventBusCalls } from './aws-api/event-bus-calls.ts';
import { generateSecrets, localSecrets, secretsManagerCalls } from './aws-api/secrets-manager.ts';
import { sqsCalls } from './aws-api/sqs-calls.ts';
import { type Cleanup, startOrUndo } from './cleanup.ts';
import { inFolder, openDataFolder } from './data-folder.ts';
import { openDatabase, prepareTables } from './database/database.ts';
import { findEngineBinary } from './database/engine-binary.ts';
import { startEventSourceMappings } from './event-sources/event-source-mappings.ts';
import { DEFAULT_TIMING, type MappingTiming } from './event-sources/mapping-settings.ts';
import type { LocalQueue } from './event-sources/queue.ts';
import { openQueues } from './event-sources/queues.ts';
import { toJson, writeFileAtomically } from './files.ts';
import { createFunctions } from './functions/functions.ts';
import { choosePorts } from './ports.ts';
import { type OpenIdProvider, SIGN_IN_SETTINGS, startOpenIdProvider } from './sign-in/openid-provider.ts';
import { type SimulatedProviders, startSimulatedProviders } from './simulators/simulated-providers.ts';
import { localOutputs } from './stack/outputs.ts';
import { readPermissions } from './stack/permissions.ts';
import { resolveTemplate } from './stack/physical-resources.ts';
import { readAssembly, synthesizeIfChanged } from './stack/synthesize.ts';
import { functionUrlRoutes } from './webhooks/function-url.ts';
import { type Fallback, startGateway } from './webhooks/gateway.ts';
import { httpApiRoutes } from './webhooks/http-api.ts';
import { restApiRoutes } from './webhooks/rest-api.ts';

/** Grace period for running work on a stop. */
const STOP_GRACE_MS = 5_000;

export interface LocalModeOptions {
  /** Keeps everything between starts. */
  readonly dir: string;
  /** Port of the webhooks. The next four are for DynamoDB, SendGrid's API, SMTP and the OpenID provider. 0 takes free ones. */
  readonly port: number;
  /** Between two events of a mail, in the simulators. */
  readonly delayMs: number;
  /** The endpoint of a DynamoDB that runs already. It replaces the embedded engine. */
  readonly dynamoDbEndpoint?: string | undefined;
  /** A cloud assembly that was synthesized already. */
  readonly assemblyDir?: string | undefined;
  readonly timing?: Partial<MappingTiming>;
  /** Checks calls to Secrets Manager, SQS and EventBridge, and Lambda's own for event source mappings; none to DynamoDB. */
  readonly authorize?: Authorize;
  /** Makes the handler of the page at `ConsoleUrl`. It gets every request on the webhooks' port that is not for a webhook. */
  readonly page?: (running: Pick<LocalMode, 'outputs' | 'providers'>) => Fallback;
  /** Runs an OpenID provider, and the stack's own console behind it. `page` is not used then. */
  readonly signIn?: boolean;
  /** Stops the start: what was started is stopped, and `startLocalMode` rejects. */
  readonly signal?: AbortSignal;
  /** Gets a line for each step of the start, and for each later error. */
  readonly report: (line: string) => void;
}

/** The stack, running on this machine. */
export interface LocalMode {
  readonly stackName: string;
  /** As `cdk deploy` gives them, and the addresses that exist only locally. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Holds the outputs while local mode runs. */
  readonly outputsFile: string;
  /** By logical id. */
  readonly queues: ReadonlyMap<string, LocalQueue>;
  readonly providers: SimulatedProviders;
  /** Signs people in to the console, if that was asked for. */
  readonly openId: OpenIdProvider | undefined;
  /** Finishes what runs within a few seconds and ends everything. Calling it again waits for the same. */
  stop(): Promise<void>;
}

/**
 * Runs what the CDK app describes: its tables in an embedded engine, its functions from their bundles, its webhooks,
 * streams, queues and secrets, and beside it simulators of both providers.
 *
 * @throws Error that says what to do if the folder or a port is taken, or if a part does not start. Nothing is left
 * running then.
 */
export async function startLocalMode(options: LocalModeOptions): Promise<LocalMode> {
  return startOrUndo((cleanup) => start(options, cleanup), options.report).catch((error: unknown) => {
    // If the start was stopped, report the stop, not the error that follows from it.
    options.signal?.throwIfAborted();
    throw inFolder(options.dir, error);
  });
}

async function start(options: LocalModeOptions, cleanup: Cleanup): Promise<LocalMode> {
  const { dir, delayMs, signal, report } = options;
  const region = process.env['AWS_REGION'] ?? 'ap-northeast-1';
  const step = (what: string) => {
    signal?.throwIfAborted();
    report(what);
  };

  const folder = await openDataFolder(dir);
  cleanup.defer(`release ${dir}`, folder.release);
  const outputsFile = folder.path('outputs.json');
  await rm(outputsFile, { force: true });
  // Fail here, before the stack is synthesized, which takes seconds.
  if (options.dynamoDbEndpoint === undefined) findEngineBinary();
  const ports = await choosePorts(options.port, options.dynamoDbEndpoint === undefined);

  const context = options.signIn ? SIGN_IN_SETTINGS : {};
  const assemblyDir = options.assemblyDir ?? folder.path('assembly');
  const { stackName, template, assetDirectories } =
    options.assemblyDir === undefined
      ? await synthesizeIfChanged({ outDir: assemblyDir, context, signal }, () =>
          step('Synthesizing the stack and bundling its functions'),
        )
      : await readAssembly(assemblyDir);

  step('Starting DynamoDB');
  const database = await openDatabase({
    folder,
    port: ports.dynamoDb,
    endpoint: options.dynamoDbEndpoint,
    region,
    cleanup,
    report,
  });

  const awsApi = await startAwsApi();
  cleanup.defer('stop the local AWS APIs', awsApi.stop);
  const gateway = await startGateway(ports.webhooks, report);
  cleanup.defer('stop the webhooks', () => gateway.stop(0));
  const stack = {
    stackName,
    stackUuid: folder.stackUuid,
    region,
    gatewayOrigin: gateway.origin,
    awsApiOrigin: awsApi.origin,
  };
  const resolved = resolveTemplate(template, stack);
  // The template's issuer is that of a deployed console.
  const { ConsoleIssuer, ...outputs } = localOutputs(resolved, stack);

  step('Making the tables');
  const dataHint = options.dynamoDbEndpoint ?? dir;
  const tables = await prepareTables({ template: resolved, database, region, dataHint, cleanup, report });
  const queues = await openQueues(resolved, folder, options.timing?.visibilityTimeoutMs);
  const secrets = localSecrets(resolved, folder);
  await generateSecrets(resolved, secrets);
  const { authorize = ALLOW_ALL } = options;
  const publishedEventsFile = folder.path('published-events.jsonl');
  awsApi.answer({
    ...secretsManagerCalls([...secrets.values()], authorize),
    ...sqsCalls([...queues.values()], authorize),
    ...eventBusCalls({ file: publishedEventsFile, region, authorize }),
  });

  step('Starting the simulators of the providers');
  const providers = await startSimulatedProviders({
    folder,
    webhookSecret: required(secrets.get('WebhookSecret'), 'WebhookSecret'),
    senderSecret: required(secrets.get('SenderSecret'), 'SenderSecret'),
    sendGridPort: ports.sendGrid,
    smtpPort: ports.smtp,
    sendGridWebhookUrl: outputs['SendGridWebhookUrl'],
    customersMailCloudWebhookUrl: outputs['CustomersMailCloudWebhookUrl'],
    customersMailCloudTimeZone: outputs['CustomersMailCloudTimeZone'],
    delayMs,
    cleanup,
    report,
  });

  const openId = options.signIn ? await startOpenIdProvider(ports.openId) : undefined;
  if (openId) cleanup.defer('stop the OpenID provider', openId.stop);
  step('Starting the functions');
  const functions = createFunctions({
    template: resolved,
    assetDirectories,
    folder,
    wiring: {
      region,
      dynamoDbEndpoint: database.endpoint,
      awsApiOrigin: awsApi.origin,
      extraCaCertificates: providers.caFile,
      // Nothing that is sent here may reach the real SendGrid.
      overrides: { SENDGRID_API_URL: providers.sendGrid.url, ...(openId && { CONSOLE_ISSUER: openId.issuer }) },
    },
    report,
  });
  const stopFunctions = (graceMs: number) =>
    Promise.all(Array.from(functions.values(), (local) => local.stop(graceMs)));
  cleanup.defer('end the functions', async () => void (await stopFunctions(0)));
  const permissions = readPermissions(resolved);
  const all: Record<string, string> = {
    ...outputs,
    ...(options.page && { ConsoleUrl: `${gateway.origin}/` }),
    ...(openId && { ConsoleIssuer: openId.issuer }),
    DynamoDbEndpoint: database.endpoint,
    AwsApiEndpoint: awsApi.origin,
    SendGridApiUrl: providers.sendGrid.url,
    SmtpUrl: providers.smtpUrl,
    SmtpCaFile: providers.caFile,
    PublishedEventsFile: publishedEventsFile,
  };
  gateway.serve(
    [
      ...restApiRoutes(resolved, region, functions, permissions),
      ...functionUrlRoutes(resolved, region, functions, permissions),
      ...(openId ? httpApiRoutes({ template: resolved, region, functions, permissions, issuer: openId.issuer }) : []),
    ],
    options.signIn ? undefined : options.page?.({ outputs: all, providers }),
  );
  await openId?.serve(all['ConsoleUrl'] ?? '');
  providers.resume();
  const mappings = startEventSourceMappings({
    template: resolved,
    region,
    folder,
    streamsAs: database.streamsAs,
    tables,
    queues,
    functions,
    timing: { ...DEFAULT_TIMING, ...options.timing },
    authorize,
    report,
  });
  cleanup.defer('finish running work', async () => {
    await mappings.stop(STOP_GRACE_MS, () => void stopFunctions(0));
    // The simulators keep the events that they have not posted. The webhooks answer until the simulators have stopped.
    await providers.stop();
    await gateway.stop(STOP_GRACE_MS);
    await stopFunctions(STOP_GRACE_MS);
  });

  signal?.throwIfAborted();
  cleanup.defer(`remove ${outputsFile}`, () => rm(outputsFile, { force: true }));
  await writeFileAtomically(outputsFile, toJson({ [stackName]: all }));
  return { stackName, outputs: all, outputsFile, queues, providers, openId, stop: () => cleanup.run(report) };
}

function required<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new Error(`Cannot run the stack: its template has no ${name}`);
  return part;
}
