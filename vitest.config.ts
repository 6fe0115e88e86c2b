import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // More workers than most machines have cores: the long tests mostly wait for the processes that they started.
    maxWorkers: 3,
    // Files share what they import: that takes as long as their tests.
    isolate: false,
    globalSetup: ['test/end-to-end/synthesize-once.ts'],
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
    // A lamp, not a goal (docs/testing.md). Code that runs in processes of its own, such as the bundles of local mode, is not seen.
    coverage: {
      include: ['bin/**', 'console/server/**', 'console/shared/**', 'lambda/**', 'lib/**', 'local/**'],
      exclude: ['test/**'],
      reporter: ['text', 'json-summary'],
      reportsDirectory: '.coverage',
    },
  },
});
