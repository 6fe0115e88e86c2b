import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/quiet-log.ts'],
    globalSetup: ['test/end-to-end/synthesize-once.ts'],
    // The end-to-end tests start processes; the limits are for a machine that is busy with something else.
    testTimeout: 60_000,
    // A core each: the long tests mostly wait for what they started.
    maxWorkers: '100%',
    hookTimeout: 120_000,
    // A lamp, not a goal (docs/testing.md). What runs in processes of its own, as the bundles of local mode, is not seen.
    coverage: {
      include: ['bin/**', 'console/server/**', 'console/shared/**', 'lambda/**', 'lib/**', 'local/**'],
      exclude: ['test/**'],
      reporter: ['text', 'json-summary'],
      reportsDirectory: '.coverage',
    },
    env: {
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      // The policies are resolved for this region; local mode takes it from here.
      AWS_REGION: 'ap-northeast-1',
      // All that is asked is on this machine.
      NO_PROXY: '*',
    },
  },
});
