/** Folders that take seconds to make. The first test file that needs one makes it, and all files share it. Tests must not change them. */
import { inject } from 'vitest';

/** The folder with the synthesized stack and its bundled functions. Local mode accepts it as up to date. */
export const assemblyDir = () => prepared('assembly');

/** The folder with the synthesized stack that has a console for a team. */
export const consoleAssemblyDir = () => prepared('console-assembly');

/** The folder with the synthesized stack for Customers Mail Cloud alone, without published events. */
export const oneProviderAssemblyDir = () => prepared('one-provider-assembly');

/** The folder with the commands, and programs of the tests, each as `<name>.mjs`. */
export const commandsDir = () => prepared('commands');

async function prepared(name: 'assembly' | 'console-assembly' | 'one-provider-assembly' | 'commands'): Promise<string> {
  const answer = await fetch(`${inject('preparedAt')}/${name}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}
