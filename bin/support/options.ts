/** Reads the options of a command line. */
import { parseArgs } from 'node:util';
import { isErrorWithCode, messageOf } from '../../local/files.ts';

/** An option whose default is `false` is a switch; all others take a value. */
export type Options = Readonly<
  Record<
    string,
    {
      readonly default: string | false;
      readonly help: string;
      /** Whether the command changes nothing without this option. Then npm may keep the option for itself. */
      readonly safeWithout?: true;
    }
  >
>;

/**
 * The options that are given, by name, `help` among them.
 *
 * @param command as a person types it, for errors
 * @param takesArgument whether the command takes an argument; it is returned as `argument`
 * @throws Error if an option is unknown, lacks its value, or has a value that it does not take. Its message replaces Node's.
 */
export function parseOptions(
  command: string,
  options: Options,
  args: readonly string[],
  takesArgument = false,
): Record<string, unknown> {
  const types = Object.entries(options).map(([name, option]) => [name, { type: typeOf(option) }]);
  try {
    const { values, positionals } = parseArgs({
      args: withNegativeNumbers(args, options),
      allowPositionals: takesArgument,
      options: { help: { type: 'boolean', short: 'h' }, ...Object.fromEntries(types) },
    });
    return { ...values, ...(takesArgument && { argument: positionals.join(' ').trim() }) };
  } catch (cause) {
    throw new Error(`${inOurWords(cause, options)}. \`${command} -- --help\` lists the options`, { cause });
  }
}

const typeOf = (option: Options[string] | undefined) => (option?.default === false ? 'boolean' : 'string');

/** Writes `--days -1` as `--days=-1`. Otherwise the parser takes the number for an option. */
function withNegativeNumbers(args: readonly string[], options: Options): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const name = joined.at(-1)?.slice('--'.length) ?? '';
    const takesIt = /^-[\d.]/.test(arg) && Object.hasOwn(options, name) && typeOf(options[name]) === 'string';
    if (takesIt) joined.push(`${joined.pop()}=${arg}`);
    else joined.push(arg);
  }
  return joined;
}

function inOurWords(error: unknown, options: Options): string {
  const [, dashed = ''] = /'(?:-\w, )?(-[^' ]*)/.exec(messageOf(error)) ?? [];
  const option = options[dashed.slice('--'.length)];
  if (isErrorWithCode(error, 'ERR_PARSE_ARGS_UNKNOWN_OPTION')) return `Cannot use ${dashed}: there is no such option`;
  if (isErrorWithCode(error, 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL')) {
    const [, text] = /'(.*?)'/.exec(messageOf(error)) ?? [];
    return `Cannot use ${text}: options begin with --`;
  }
  return option === undefined || typeOf(option) === 'boolean'
    ? `Cannot use ${dashed} with a value: it takes none`
    : `Cannot use ${dashed} without a value${option.default ? `: give one, such as ${option.default}` : ''}`;
}
