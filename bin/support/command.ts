/** Runs a command: reads its options, prints its help, and shows its errors. */
import { type Options, parseOptions } from './options.ts';
import { sentenceOf } from './terminal.ts';

// Node 20 is enough for local mode, and deployed functions run on Node 24. So the SDK must not warn about Node's version.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

type Values<Given extends Options> = {
  readonly [Name in keyof Given]: Given[Name]['default'] extends false ? boolean : string;
};

interface Usage {
  readonly command: string;
  readonly does: string;
  /** The name of the argument, such as `ADDRESS`, if the command takes one. Then it must be given. */
  readonly argument?: string;
  readonly options: Options;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Runs a command of `npm run`: reads its options (`--name value`), answers `--help`, and shows an error as one sentence,
 * without a stack trace, and exit code 1.
 *
 * @param usage the command as a person types it, what it does, and the environment variables that it reads by name
 * @param run gets the options, and the argument; `""` if the command takes none
 */
export async function runCommand<Given extends Options>(
  usage: Usage & { readonly options: Given },
  run: (values: Values<Given>, argument: string) => Promise<void>,
): Promise<void> {
  // The reader of the output may close it, as `head` does, or a terminal that is closed.
  process.stdout.on('error', () => {
    if (!process.emit('SIGHUP')) process.exit();
  });
  process.stderr.on('error', () => undefined);
  try {
    const names = Object.keys(usage.options);
    const takesArgument = usage.argument !== undefined;
    const given = parseOptions(usage.command, usage.options, process.argv.slice(2), takesArgument);
    refuseWhatNpmKept(usage, given);
    if (given['help']) {
      console.log(helpText(usage));
      return;
    }
    const filled = names.map((name) => [name, given[name] ?? usage.options[name]?.default]);
    const argument = String(given['argument'] ?? '');
    if (takesArgument && argument === '') {
      throw new Error(`Cannot run: an argument is missing. Give it as in \`${usage.command} -- ${usage.argument}\``);
    }
    await run(Object.fromEntries(filled), argument);
  } catch (error) {
    console.error(`\n${sentenceOf(error)}`);
    process.exitCode = 1;
  }
}

/**
 * Fails if an option was given before `--`. npm keeps such an option for itself, so that `npm run replay --dry-run` would
 * change rows. npm shows it in a variable, which an `.npmrc` may set too, often with `yes=true`. So these options pass: one
 * that is also given after `--`, and one without which the command changes nothing.
 */
function refuseWhatNpmKept({ command, options }: Usage, given: Readonly<Record<string, unknown>>): void {
  const kept = Object.entries(options).find(
    ([name, { safeWithout }]) =>
      !safeWithout && !(name in given) && `npm_config_${name.replaceAll('-', '_')}` in process.env,
  )?.[0];
  if (kept === undefined) return;
  throw new Error(
    `Cannot take --${kept}: npm kept it for itself. Options go after --, as in \`${command} -- --${kept}\``,
  );
}

function helpText({ command, does, argument, options, environment = {} }: Usage): string {
  const width = Math.max(18, ...Object.keys(options).map((name) => name.length));
  const lines = Object.entries(options).map(
    ([name, option]) => `  --${name.padEnd(width)} ${option.help}${option.default ? ` (${option.default})` : ''}`,
  );
  const variables = Object.entries(environment).map(([name, help]) => `  ${name}\n      ${help}`);
  return [
    `${command} -- ${argument === undefined ? '' : `${argument} `}[options]`,
    does,
    '',
    ...lines,
    `  --${'help'.padEnd(width)} shows this text`,
    ...(variables.length > 0 ? ['', 'In the environment:', ...variables] : []),
  ].join('\n');
}
