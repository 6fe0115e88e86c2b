import { defineConfig } from 'vitest/config';

/** The tests that look at the synthesized stack with its bundled functions, or run it. */
const ON_THE_STACK = [
  'test/{bench,console,end-to-end,faults}/**/*.test.ts',
  'test/docs/design.test.ts',
  'test/lib/validation.test.ts',
  'test/local/local-mode.test.ts',
  'test/local/stack/synthesize.test.ts',
];

const common = {
  setupFiles: ['test/quiet-log.ts', 'test/after-file.ts'],
  // The end-to-end tests start processes; the limits are for a machine that is busy with something else.
  testTimeout: 60_000,
  hookTimeout: 120_000,
  env: {
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    // The policies are resolved for this region; local mode takes it from here.
    AWS_REGION: 'ap-northeast-1',
    // All servers that are asked are on this machine.
    NO_PROXY: '*',
  },
};

export default defineConfig({
  test: {
    // More workers than most machines have cores: the long tests mostly wait for the processes that they started.
    maxWorkers: 3,
    projects: [
      {
        test: {
          ...common,
          name: 'pure',
          include: ['test/**/*.test.ts'],
          exclude: ON_THE_STACK,
          // Files share what they import: that takes as long as their tests.
          isolate: false,
        },
      },
      {
        test: {
          ...common,
          name: 'stack',
          include: ON_THE_STACK,
          isolate: false,
          globalSetup: ['test/end-to-end/synthesize-once.ts'],
        },
      },
    ],
    // A lamp, not a goal (docs/testing.md). Code that runs in processes of its own, such as the bundles of local mode, is not seen.
    coverage: {
      include: ['bin/**', 'console/server/**', 'console/shared/**', 'lambda/**', 'lib/**', 'local/**'],
      exclude: ['test/**'],
      reporter: ['text', 'json-summary'],
      reportsDirectory: '.coverage',
    },
  },
});
