/** Runs once per test file. A hook in `temporary.ts` would run for the first file only: the files share that module. */
import { afterAll } from 'vitest';
import { undoAll } from './temporary.ts';

afterAll(undoAll);
