/** Keeps what functions log in a test's process out of the output of the run. Tests can still read it. */
const write = process.stdout.write.bind(process.stdout);

process.stdout.write = (chunk: string | Uint8Array, ...rest: never[]) =>
  (typeof chunk === 'string' && chunk.startsWith('{"level":')) || write(chunk, ...rest);
