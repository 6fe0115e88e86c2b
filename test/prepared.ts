/** Folders that take seconds to build. The first test file that needs one builds it, and all files share it. */
import { inject } from 'vitest';

/** The folder with the synthesized stack. */
export const assemblyDir = () => prepared('assemblyDir');

/** The folder with the synthesized stack that has a console for a team. */
export const consoleAssemblyDir = () => prepared('consoleAssemblyDir');

/** The folder with the synthesized stack for Customers Mail Cloud alone, without published events. */
export const oneProviderAssemblyDir = () => prepared('oneProviderAssemblyDir');

/** The folder with the bundled commands. */
export const commandsDir = () => prepared('commandsDir');

async function prepared(
  name: 'assemblyDir' | 'consoleAssemblyDir' | 'oneProviderAssemblyDir' | 'commandsDir',
): Promise<string> {
  const answer = await fetch(`${inject('preparedAt')}/${name}`);
  if (!answer.ok) throw new Error(await answer.text());
  return inject(name);
}
