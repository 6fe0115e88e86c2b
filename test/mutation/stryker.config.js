/**
 * `npm run mutation`: the domain, the providers' webhooks, the rows and the published events are changed, one place at a time, and a test must notice.
 *
 * No mutator and no file is left out. What survives, and why, is in docs/testing.md.
 */
export default {
  mutate: [
    'lambda/mail/**/*.ts',
    'lambda/providers/events.ts',
    'lambda/providers/*/{classification,events,webhook}.ts',
    'lambda/recording/{entries,keys,rows,storable}.ts',
    'lambda/publishing/failure-event.ts',
    'lambda/recipients/{erasure,suppression}.ts',
    'lambda/webhooks/request.ts',
  ],
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'test/mutation/vitest.config.ts' },
  // Of the tests, only those run that come by the changed place.
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // A copy of the tree is worked on; what no test of these needs stays out of it.
  ignorePatterns: [
    '/bench',
    '/bin',
    '/console',
    '/examples',
    '/lib',
    '/local',
    '/docs/images',
    '/test/end-to-end',
    // Stryker would rewrite it for its copy, by an interface that TypeScript 7 has no more. Nothing reads it there.
    '/tsconfig.json',
  ],
  // On this machine only: no dashboard.
  reporters: ['progress-append-only', 'clear-text', 'html', 'json'],
  clearTextReporter: { logTests: false, reportTests: false },
  tempDirName: '.stryker/tmp',
  incrementalFile: '.stryker/incremental.json',
  htmlReporter: { fileName: '.stryker/mutation.html' },
  jsonReporter: { fileName: '.stryker/mutation.json' },
  thresholds: { high: 95, low: 90, break: 90 },
};
