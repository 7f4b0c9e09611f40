/**
 * What every command of both programs shares: how failures end it, how results are printed, where option values come
 * from. Results go to stdout, everything else to stderr, so that `--json` can be piped.
 */
import { readFileSync } from 'node:fs';
import { type Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import * as v from 'valibot';
import { EXIT, FreshetError } from '../errors.ts';

export const EXIT_CODES_HELP = `
Exit codes: ${EXIT.ok} done, ${EXIT.failed} failed, ${EXIT.usage} wrong usage, ${EXIT.unreachable} the process is not
running or not ready, ${EXIT.refused} refused and nothing changed, ${EXIT.bug} a bug in Freshet.`;

export interface CommonOptions {
  readonly state: string;
  readonly json?: true;
}

/** Adds the options that all commands have. */
export function withCommonOptions(command: Command, state: { what: string; fallback: string }): Command {
  const stateOption = new Option('--state <dir>', state.what).env('FRESHET_STATE').default(state.fallback);
  return command
    .addOption(stateOption)
    .option('--json', 'print one JSON object instead of text')
    .option('--config <file>', 'JSON file with values for these options; flags and environment win')
    .hook('preAction', (_program, action) => applyConfigFile(action));
}

/**
 * Runs the command that `argv` names. Resolves when it is done; ends the process with one line on stderr and the exit
 * code of ERROR_TRAITS when it fails.
 */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  for (const command of [program, ...program.commands]) command.exitOverride();
  process.on('uncaughtException', (error) => fail(program.name(), error));
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
    fail(program.name(), error);
  }
}

function fail(program: string, error: unknown): never {
  if (error instanceof FreshetError) {
    process.stderr.write(`${program}: ${error.message}\n`);
    process.exit(error.exitCode);
  }
  const what = error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${program}: this is a bug in Freshet, please report it:\n${what}\n`);
  process.exit(EXIT.bug);
}

/** Prints `value` as JSON or as `text` for a person. */
export function print(options: { readonly json?: true }, value: unknown, text: () => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(value) : text()}\n`);
}

/** Option parser for whole numbers of at least `min`. */
export function integerAtLeast(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
      throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`);
    }
    return value;
  };
}

/** Option parser for numbers in (min, max]. */
export function numberIn(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value > min && value <= max)) {
      throw new InvalidArgumentError(`It must be a number above ${min} and at most ${max}.`);
    }
    return value;
  };
}

/** Option parser for TCP ports. */
export function port(text: string): number {
  const value = integerAtLeast(0)(text);
  if (value > 65_535)
    throw new InvalidArgumentError('It must be a port from 0 to 65535; 0 lets the system choose.');
  return value;
}

const configSchema = v.record(v.string(), v.union([v.string(), v.number(), v.boolean()]));

/** Values of `--config` for options that neither a flag nor the environment has set. */
function applyConfigFile(command: Command): void {
  const path: unknown = command.getOptionValue('config');
  if (typeof path !== 'string') return;
  for (const [name, value] of Object.entries(readConfig(path))) {
    const option = command.options.find((each) => each.long === `--${name}`);
    if (option === undefined || name === 'config') {
      throw new FreshetError('CONFIG_INVALID', `${path}: "${name}" is no option of \`${command.name()}\``);
    }
    const attribute = option.attributeName();
    const source = command.getOptionValueSource(attribute);
    if (source === 'cli' || source === 'env') continue;
    command.setOptionValueWithSource(attribute, parsedValue(path, option, value), 'config');
  }
}

function parsedValue(path: string, option: Option, value: string | number | boolean): unknown {
  if (typeof value === 'boolean' || option.parseArg === undefined) return value;
  try {
    return option.parseArg(String(value), undefined);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FreshetError('CONFIG_INVALID', `${path}: "${option.long?.slice(2)}": ${why}`, { cause: error });
  }
}

function readConfig(path: string): Record<string, string | number | boolean> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FreshetError('CONFIG_INVALID', `cannot read the configuration ${path}`, { cause });
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), configSchema), text);
  if (parsed.success) return parsed.output;
  const why = v.summarize(parsed.issues);
  throw new FreshetError('CONFIG_INVALID', `${path} must hold one JSON object of option values: ${why}`);
}
