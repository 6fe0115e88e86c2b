/** What functions log in a test's own process is for the tests that look at it, not for whoever reads the run. */
const write = process.stdout.write.bind(process.stdout);

process.stdout.write = (chunk: string | Uint8Array, ...rest: never[]) =>
  (typeof chunk === 'string' && chunk.startsWith('{"level":')) || write(chunk, ...rest);
