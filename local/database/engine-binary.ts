/** Finds the engine's program. */
import { createRequire } from 'node:module';

/** The platforms with a package of the engine, as `process.platform` and `process.arch` name them. */
export const ENGINE_MACHINES = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'win32-x64'];

interface Machine {
  readonly platform?: string;
  readonly arch?: string;
  /** Finds a file of an installed package. */
  readonly resolve?: (file: string) => string;
}

/**
 * The program out of the engine's package for this machine. The packages are optional dependencies, of which npm
 * installs the one whose `os` and `cpu` fit.
 *
 * @throws Error that names the command to run.
 */
export function findEngineBinary({
  platform = process.platform,
  arch = process.arch,
  resolve = createRequire(import.meta.url).resolve,
}: Machine = {}): string {
  const machine = `${platform}-${arch}`;
  if (!ENGINE_MACHINES.includes(machine)) {
    throw new Error(
      `Cannot start DynamoDB: there is no embedded engine for ${machine}. Start DynamoDB Local with -sharedDb, and run \`npm start -- --dynamodb-endpoint http://127.0.0.1:8000\``,
    );
  }
  try {
    return resolve(`@dynoxide/${machine}/dynoxide${platform === 'win32' ? '.exe' : ''}`);
  } catch (cause) {
    throw new Error(
      `Cannot start DynamoDB: the embedded engine for ${machine} is not installed. Run \`npm ci --include=optional\``,
      { cause },
    );
  }
}
