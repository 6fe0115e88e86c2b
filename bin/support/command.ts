import { parseArgs } from 'node:util';

// Node 20 is enough for local mode, and deployed functions run on Node 24: the SDK's warning is for neither.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** An option whose default is `false` is a switch; all others take a value. */
type Options = Readonly<Record<string, { readonly default: string | false; readonly help: string }>>;
type Values<Given extends Options> = {
  readonly [Name in keyof Given]: Given[Name]['default'] extends false ? boolean : string;
};

/**
 * Runs a command of `npm run`: reads its options (`--name value`), answers `--help`, and shows an error as one sentence,
 * without a stack trace, and exit code 1.
 *
 * @param usage the command as a person types it, and what it does
 */
export async function runCommand<Given extends Options>(
  usage: { readonly command: string; readonly does: string; readonly options: Given },
  run: (values: Values<Given>) => Promise<void>,
): Promise<void> {
  // Whoever reads the output may stop, as `head` does, and as a terminal does that is closed.
  process.stdout.on('error', () => {
    if (!process.emit('SIGHUP')) process.exit();
  });
  process.stderr.on('error', () => undefined);
  try {
    const names = Object.keys(usage.options);
    const { values } = parseArgs({
      options: {
        help: { type: 'boolean', short: 'h' },
        ...Object.fromEntries(Object.entries(usage.options).map(([name, option]) => [name, { type: typeOf(option) }])),
      },
    });
    if (values.help) {
      console.log(helpText(usage));
      return;
    }
    const given: Record<string, unknown> = values;
    const filled = names.map((name) => [name, given[name] ?? usage.options[name]?.default]);
    await run(Object.fromEntries(filled));
  } catch (error) {
    console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

function typeOf(option: Options[string]): 'boolean' | 'string' {
  return option.default === false ? 'boolean' : 'string';
}

function helpText({ command, does, options }: { command: string; does: string; options: Options }): string {
  const lines = Object.entries(options).map(
    ([name, option]) => `  --${name.padEnd(18)} ${option.help}${option.default ? ` (${option.default})` : ''}`,
  );
  return [`${command}: ${does}`, '', ...lines, `  --${'help'.padEnd(18)} this text`].join('\n');
}
