/** Makes the template's functions, ready to be invoked. */
import * as z from 'zod';
import type { DataFolder } from '../data-folder.ts';
import type { ResolvedTemplate } from '../stack/template.ts';
import { type FunctionWiring, functionEnvironment } from './function-environment.ts';
import { LocalFunction } from './local-function.ts';
import { writeWorkerScript } from './worker-script.ts';

/** What a function's process runs. */
export const FUNCTION_WORKER = new URL('function-worker.ts', import.meta.url);

/** As much of a function's properties as local mode reads. */
export const functionProperties = z.object({
  Code: z.object({ S3Key: z.string() }),
  Environment: z.object({ Variables: z.record(z.string(), z.string()) }).default({ Variables: {} }),
  Handler: z.string(),
  MemorySize: z.number().default(128),
  ReservedConcurrentExecutions: z.number().optional(),
  Runtime: z.string().startsWith('nodejs'),
  Timeout: z.number().default(3),
});

export interface FunctionsOptions {
  readonly template: ResolvedTemplate;
  /** The bundles' folders by S3 key. */
  readonly assetDirectories: ReadonlyMap<string, string>;
  readonly folder: DataFolder;
  readonly wiring: FunctionWiring;
  readonly report: (line: string) => void;
}

/**
 * The template's functions by ARN, ready to be invoked; a process is started when there is something to do.
 *
 * @throws Error if a bundle is missing, or if an override names a variable that no function has.
 */
export function createFunctions(options: FunctionsOptions): Map<string, LocalFunction> {
  const { template, assetDirectories, folder, wiring, report } = options;
  const workerScript = writeWorkerScript(FUNCTION_WORKER, folder.path('function-worker.mjs'));
  const functions = template.resources('AWS::Lambda::Function', functionProperties);
  for (const name of Object.keys(wiring.overrides)) {
    if (!Array.from(functions.values()).some(({ Environment }) => name in Environment.Variables)) {
      throw new Error(`Cannot override ${name}: the template gives it to no function`);
    }
  }
  return new Map(
    Array.from(functions, ([logicalId, properties]) => {
      const taskRoot = assetDirectories.get(properties.Code.S3Key);
      if (taskRoot === undefined)
        throw new Error(`Cannot run ${logicalId}: there is no asset ${properties.Code.S3Key}`);
      const arn = template.attribute(logicalId, 'Arn');
      const local = new LocalFunction({
        logicalId,
        arn,
        taskRoot,
        workerScript,
        environment: functionEnvironment({
          logicalId,
          name: template.ref(logicalId),
          handler: properties.Handler,
          runtime: properties.Runtime,
          memoryMb: properties.MemorySize,
          taskRoot,
          variables: properties.Environment.Variables,
          wiring,
        }),
        timeoutMs: properties.Timeout * 1000,
        reservedConcurrency: properties.ReservedConcurrentExecutions,
        logFile: folder.path('logs', `${logicalId}.log`),
        report,
      });
      return [arn, local];
    }),
  );
}
