/** What takes seconds to make, and is made once for all test files: when the first of them asks. */
import { inject } from 'vitest';

/** The folder with the synthesized stack. */
export const assemblyDir = () => prepared('assemblyDir');

/** The same with a console for a team. */
export const consoleAssemblyDir = () => prepared('consoleAssemblyDir');

/** The folder with the bundled commands. */
export const commandsDir = () => prepared('commandsDir');

async function prepared(name: 'assemblyDir' | 'consoleAssemblyDir' | 'commandsDir'): Promise<string> {
  const answer = await fetch(`${inject('preparedAt')}/${name}`);
  if (!answer.ok) throw new Error(await answer.text());
  return inject(name);
}
