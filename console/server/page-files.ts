/** The files of the page, bundled. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** What is served, by path. */
export type PageFiles = ReadonlyMap<string, { readonly type: string; readonly body: string | Uint8Array }>;

const pageFolder = fileURLToPath(new URL('../page', import.meta.url));

let bundled: Promise<PageFiles> | undefined;

/** The page, bundled into memory: once per process. */
export function bundledPage(): Promise<PageFiles> {
  bundled ??= bundlePage();
  return bundled;
}

async function bundlePage(): Promise<PageFiles> {
  const { outputFiles } = await build({
    entryPoints: { console: `${pageFolder}/main.tsx` },
    outdir: '/',
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'silent',
  });
  const built = (ending: string) => outputFiles.find(({ path }) => path.endsWith(ending))?.contents ?? '';
  const still = (name: string) => readFile(`${pageFolder}/${name}`, 'utf8');
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', body: await still('index.html') }],
    ['/icon.svg', { type: 'image/svg+xml', body: await still('icon.svg') }],
    ['/console.js', { type: 'text/javascript; charset=utf-8', body: built('.js') }],
    ['/console.css', { type: 'text/css; charset=utf-8', body: built('.css') }],
  ]);
}
