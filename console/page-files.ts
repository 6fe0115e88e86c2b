/** Bundles the files of the page: for the console on this machine, and at synthesis for the deployed function. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

/** The served files by path. */
export type PageFiles = ReadonlyMap<string, { readonly type: string; readonly body: string | Uint8Array }>;

const pageFolder = fileURLToPath(new URL('page', import.meta.url));

let bundled: PageFiles | undefined;

/** The page, bundled into memory once per process. The names of script and style sheet contain a hash of their content. */
export function bundledPage(): PageFiles {
  bundled ??= bundlePage();
  return bundled;
}

function bundlePage(): PageFiles {
  const { outputFiles } = buildSync({
    entryPoints: { console: join(pageFolder, 'main.tsx') },
    outdir: '/',
    entryNames: '[name]-[hash]',
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
  const built = (ending: string) => {
    const file = outputFiles.find(({ path }) => path.endsWith(ending));
    if (file === undefined) throw new Error(`Cannot bundle the page: there is no ${ending}`);
    return { path: file.path.replace(/^.*[\\/]/, '/'), body: file.contents };
  };
  const unbundled = (name: string) => readFileSync(join(pageFolder, name), 'utf8');
  const [script, style] = [built('.js'), built('.css')];
  const html = unbundled('index.html').replace('/console.js', script.path).replace('/console.css', style.path);
  return new Map<string, { type: string; body: string | Uint8Array }>([
    ['/', { type: 'text/html; charset=utf-8', body: html }],
    ['/icon.svg', { type: 'image/svg+xml', body: unbundled('icon.svg') }],
    [script.path, { type: 'text/javascript; charset=utf-8', body: script.body }],
    [style.path, { type: 'text/css; charset=utf-8', body: style.body }],
  ]);
}
