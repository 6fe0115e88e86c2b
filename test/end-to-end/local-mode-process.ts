/** Runs local mode in its own process, for tests that kill it. Arguments: the data folder and the cloud assembly. */
import { startLocalMode } from '../../local/local-mode.ts';

const [dir = '', assemblyDir = ''] = process.argv.slice(2);
const local = await startLocalMode({ dir, assemblyDir, port: 0, delayMs: 0, report: () => undefined });
process.once('SIGTERM', () => local.stop());
