/** The tests that run against mutants. */
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Sorts by path, so that the short tests of `mail/` run before those of the code that uses it. A failure ends the run. */
class ByPath extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
  }
}

/** Only the tests of the mutated code. */
export default defineConfig({
  test: {
    include: [
      'test/lambda/mail/**/*.test.ts',
      'test/lambda/providers/*.test.ts',
      'test/lambda/providers/*/{events,webhook}.test.ts',
      'test/lambda/recording/{keys,rows,storable}.test.ts',
      'test/lambda/publishing/failure-event.test.ts',
      'test/lambda/recipients/{erasure,suppression}.test.ts',
      'test/lambda/webhooks/*.test.ts',
      'test/docs/classification.test.ts',
    ],
    // Every mutant gets its own worker. The test files share it and their imports.
    isolate: false,
    // A slow test on a busy machine must not count as a killed mutant.
    testTimeout: 60_000,
    sequence: { sequencer: ByPath },
  },
});
