import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { ENGINE_MACHINES, findEngineBinary } from '../../../local/database/engine-binary.ts';

const VERSION = '1.2.1';
const read = <T>(file: string, schema: z.ZodType<T>): T =>
  schema.parse(JSON.parse(readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')));

test('the engine is installed on every machine for which it has a package', () => {
  const { optionalDependencies } = read(
    'package.json',
    z.object({ optionalDependencies: z.record(z.string(), z.string()) }),
  );
  const { packages } = read(
    'package-lock.json',
    z.object({ packages: z.record(z.string(), z.object({ version: z.string().optional() }).loose()) }),
  );
  expect(optionalDependencies).toEqual(
    Object.fromEntries(ENGINE_MACHINES.map((machine) => [`@dynoxide/${machine}`, VERSION])),
  );
  for (const machine of ENGINE_MACHINES) {
    const [os, cpu] = machine.split('-');
    expect(packages[`node_modules/@dynoxide/${machine}`], machine).toMatchObject({
      version: VERSION,
      os: [os],
      cpu: [cpu],
      optional: true,
    });
  }
});

test.each([
  ['linux', 'x64', '@dynoxide/linux-x64/dynoxide'],
  ['linux', 'arm64', '@dynoxide/linux-arm64/dynoxide'],
  ['darwin', 'arm64', '@dynoxide/darwin-arm64/dynoxide'],
  ['darwin', 'x64', '@dynoxide/darwin-x64/dynoxide'],
  ['win32', 'x64', '@dynoxide/win32-x64/dynoxide.exe'],
])('on %s %s the program is %s', (platform, arch, file) => {
  expect(findEngineBinary({ platform, arch, resolve: (name) => `/modules/${name}` })).toBe(`/modules/${file}`);
});

test('the error for a missing engine names the command that installs it', () => {
  const resolve = () => {
    throw new Error('Cannot find module');
  };
  expect(() => findEngineBinary({ platform: 'darwin', arch: 'arm64', resolve })).toThrow(
    'Cannot start DynamoDB: the embedded engine for darwin-arm64 is not installed. Run `npm ci --include=optional`',
  );
});

test('the error on a machine without an engine says how to use another DynamoDB', () => {
  expect(() => findEngineBinary({ platform: 'freebsd', arch: 'x64' })).toThrow(
    /no embedded engine for freebsd-x64\..*`npm start -- --dynamodb-endpoint http:\/\/127\.0\.0\.1:8000`$/,
  );
});
