import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // More workers than cores, because the long tests mostly wait for the processes that they started. Each takes some
    // 400 MB with its processes.
    maxWorkers: Math.min(10, Math.round(availableParallelism() * 2.5)),
    // Test files share imported modules, because to import them takes as long as the tests.
    isolate: false,
    globalSetup: ['test/in-memory.ts', 'test/end-to-end/synthesize-once.ts'],
    setupFiles: ['test/quiet-log.ts', 'test/after-file.ts'],
    // The end-to-end tests start processes; the limits are for a machine that is busy with something else.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    env: {
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      // Local mode runs in this region, for which the tests expect the policies.
      AWS_REGION: 'ap-northeast-1',
      // The tests call only servers on this machine.
      NO_PROXY: '*',
    },
    // To find gaps, not as a goal (docs/testing.md). Code in other processes, such as local mode's bundles, is not counted.
    coverage: {
      include: [
        'bin/**',
        'console/function.ts',
        'console/server/**',
        'console/shared/**',
        'lambda/**',
        'lib/**',
        'local/**',
      ],
      exclude: ['test/**'],
      reporter: ['text', 'json-summary'],
      reportsDirectory: '.coverage',
    },
  },
});
