/**
 * What every command of both programs shares: how failures end it, how results are printed, the options that all have.
 * Results go to stdout, everything else to stderr, so that `--json` can be piped.
 */
import { type Command, CommanderError, Option } from 'commander';
import { EXIT, FreshetError } from '../errors.ts';
import { applyConfigFile } from './config-file.ts';
import { notEmpty } from './option-values.ts';

export const EXIT_CODES_HELP = `
Exit codes: ${EXIT.ok} done, ${EXIT.failed} failed, ${EXIT.usage} wrong usage, ${EXIT.unreachable} the process is not running or
not ready, ${EXIT.refused} refused and nothing changed, ${EXIT.bug} a bug in Freshet.`;

export interface CommonOptions {
  readonly state: string;
  readonly json?: boolean;
}

/** Adds the options that all commands have. */
export function withCommonOptions(command: Command, state: { what: string; fallback: string }): Command {
  const stateOption = new Option('--state <dir>', state.what)
    .env('FRESHET_STATE')
    .argParser(notEmpty)
    .default(state.fallback);
  return command
    .addOption(stateOption)
    .option('--json', 'print one JSON object instead of text')
    .option('--config <file>', 'JSON file with option values; flags and environment win')
    .hook('preAction', (_program, action) => applyConfigFile(action));
}

/**
 * Runs the command that `argv` names. Resolves when it is done; ends the process with one line on stderr and the exit
 * code of ERROR_TRAITS when it fails. `help`: what is added to a command to get its help.
 */
export async function runProgram(program: Command, argv: readonly string[], help = '--help'): Promise<void> {
  const name = program.name();
  for (const [command, path] of commandsBelow(program, name)) {
    command.exitOverride().configureOutput({
      outputError: (text, write) => write(`${name}: ${inOneLine(text)} (see ${path} ${help})\n`),
    });
  }
  process.on('uncaughtException', (error) => fail(name, error));
  process.stdout.on('error', (error) => endWithoutOutput(name, error));
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
    fail(name, error);
  }
}

/** `command` and all subcommands of it, each with what a person types to get there. */
function commandsBelow(command: Command, path: string): (readonly [Command, string])[] {
  const below = command.commands.flatMap((each) => commandsBelow(each, `${path} ${each.name()}`));
  return [[command, path], ...below];
}

/** Commander puts suggestions into a second line, and what a person has typed may have several. */
function inOneLine(message: string): string {
  return message
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ');
}

/** Nobody reads on, as in `… | head -1`; or the disk that stdout goes to is full. */
function endWithoutOutput(program: string, error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
  return fail(
    program,
    new FreshetError('STORE_WRITE_FAILED', `cannot write to stdout (${error.code}): check where it goes`, {
      cause: error,
    }),
  );
}

function fail(program: string, error: unknown): never {
  if (error instanceof FreshetError) {
    process.stderr.write(`${program}: ${inOneLine(error.message)}\n`);
    process.exit(error.exitCode);
  }
  const what = error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${program}: this is a bug in Freshet, please report it:\n${what}\n`);
  process.exit(EXIT.bug);
}

/** Prints `value` as JSON or as `text` for a person. */
export function print(options: { readonly json?: boolean }, value: unknown, text: () => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(value) : text()}\n`);
}
