/**
 * `npm run mutation` changes one place at a time in the domain, the providers' webhooks, the rows and the published events.
 * A test must then fail.
 *
 * No mutator and no file is left out. docs/testing.md lists the mutants that survive, and why.
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
  // For each mutant, runs only the tests that reach the changed place.
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // Stryker works on a copy of the tree. The copy leaves out what these tests do not need.
  ignorePatterns: [
    '/bench',
    '/bin',
    '/console',
    '/examples',
    '/lib',
    '/local',
    '/docs/images',
    '/test/end-to-end',
    // Stryker would rewrite the file through an interface that TypeScript 7 no longer has. The copy does not need it.
    '/tsconfig.json',
  ],
  // Reports stay on this machine; no dashboard.
  reporters: ['progress-append-only', 'clear-text', 'html', 'json'],
  clearTextReporter: { logTests: false, reportTests: false },
  tempDirName: '.stryker/tmp',
  incrementalFile: '.stryker/incremental.json',
  htmlReporter: { fileName: '.stryker/mutation.html' },
  jsonReporter: { fileName: '.stryker/mutation.json' },
  thresholds: { high: 95, low: 90, break: 90 },
};
