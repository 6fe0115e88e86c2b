import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { codes, pagePaths, prose, readPage, root } from './pages.ts';

const pages = await pagePaths();

test('every link and picture of a page leads to an existing file, and to an existing heading', async () => {
  const broken = await Promise.all(
    pages.map(async (page) => {
      const links = prose(await readPage(page)).matchAll(/(?:\]\(|src(?:set)?=")([^)"\s]+)/g);
      const targets = [...links].map(([, target = '']) => target);
      const local = targets.filter((target) => !/^[a-z]+:/.test(target));
      const found = await Promise.all(
        local.map(async (target) => ((await leadsSomewhere(page, target)) ? [] : [target])),
      );
      return found.flat().map((target) => `${page}: ${target}`);
    }),
  );
  expect(broken.flat()).toEqual([]);
});

async function leadsSomewhere(page: string, target: string): Promise<boolean> {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : relative(root, join(root, dirname(page), decodeURIComponent(path)));
  if (!existsSync(join(root, file))) return false;
  return anchor === undefined || anchorsOf(await readPage(file)).has(decodeURIComponent(anchor));
}

/** GitHub's anchors: letters, digits, hyphens and underscores stay, and a repeated heading gets a number. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of prose(page).matchAll(/^#+ (.+)$/gm)) {
    const anchor = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let numbered = anchor;
    for (let count = 1; anchors.has(numbered); count++) numbered = `${anchor}-${count}`;
    anchors.add(numbered);
  }
  return anchors;
}

test('every file that a page names exists', async () => {
  const missing = await Promise.all(
    pages.map(async (page) => {
      // Except the files of a new provider in the instructions for adding one.
      const names = codes(prose(await readPage(page))).filter((name) => !/[<*…\s]|\bses\b/.test(name));
      const paths = names.filter((name) => /^(bench|bin|console|docs|examples|lambda|lib|local|test)\//.test(name));
      return paths.flatMap((path) => (existsSync(join(root, path)) ? [] : [`${page}: ${path}`]));
    }),
  );
  expect(missing.flat()).toEqual([]);
});
