/** Which tests see mutants. */
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** By path: the tests of `mail/`, which are short, before those of what is made of it. The first that fails ends the run. */
class ByPath extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
  }
}

/** The tests of what is mutated, and no others. */
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
    // Every mutant gets a worker of its own; the files that test it share that one, and what they import.
    isolate: false,
    // A busy machine is no mutant.
    testTimeout: 60_000,
    sequence: { sequencer: ByPath },
  },
});
