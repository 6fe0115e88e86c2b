/** Finds the engine's program. */
import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';

/**
 * The one that `npm ci` brought, or else one on the PATH.
 *
 * @throws Error that says how to bring one.
 */
export function findEngineBinary(): string {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'dynoxide'));
  const found = [bundledBinary(), ...onPath].find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    `Cannot start DynamoDB on this machine: no embedded engine came for ${process.platform} ${process.arch}. ` +
      'Bring one with `npm install --global dynoxide@1.2.1`, or point --dynamodb-endpoint at a running one',
  );
}

/** Its package is an optional dependency, for one platform: elsewhere npm leaves it out. */
function bundledBinary(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('@dynoxide/linux-x64/dynoxide');
  } catch {
    return undefined;
  }
}

function isExecutable(path: string | undefined): path is string {
  if (path === undefined) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
