import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { root } from './pages.ts';

const read = (file: string) => readFile(join(root, file), 'utf8');

test('every action is pinned by its full commit hash, with its version in a comment', async () => {
  const workflows = await readdir(join(root, '.github/workflows'));
  const texts = await Promise.all(workflows.map((name) => read(join('.github/workflows', name))));
  const used = texts.flatMap((text) => [...text.matchAll(/^\s*(?:- )?uses: *(.*)$/gm)].map(([, action]) => action));
  expect(used.length).toBeGreaterThan(0);
  for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

test('the checks run on the oldest supported Node, and on the one of the deployed functions', async () => {
  const versions = /node: \[(.*)\]/.exec(await read('.github/workflows/ci.yml'))?.[1]?.split(', ');
  const { engines } = z
    .object({ engines: z.object({ node: z.string() }) })
    .parse(JSON.parse(await read('package.json')));
  expect(versions?.[0]).toBe(/^>=(\d+)\./.exec(engines.node)?.[1]);
  const deployed = /NODEJS_(\d+)_X/.exec(await read('lib/todoke-function.ts'))?.[1];
  expect(versions?.at(-1)).toBe(deployed);
  expect((await read('.nvmrc')).trim()).toBe(deployed);
  expect(await read('.devcontainer/devcontainer.json')).toContain(`javascript-node:${deployed}"`);
});
