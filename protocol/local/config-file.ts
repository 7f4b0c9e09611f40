/**
 * `--config`: a JSON file with option values. One file can serve all commands of a program: a command passes over what
 * only another one knows, and refuses what none does.
 */
import { readFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { FreshetError } from '../errors.ts';

/** Sets the options of `command` that neither a flag nor the environment has set. @throws CONFIG_INVALID */
export function applyConfigFile(command: Command): void {
  const path: unknown = command.getOptionValue('config');
  if (typeof path !== 'string') return;
  const others = commandsBelow(programOf(command));
  for (const [name, value] of Object.entries(readConfig(path))) {
    const option = optionNamed(command, name);
    if (option !== undefined) {
      applyValue(command, option, () => parsedValue(path, name, option, value));
    } else if (!others.some((other) => optionNamed(other, name) !== undefined)) {
      throw new FreshetError('CONFIG_INVALID', `${path}: there is no option "${name}"; see --help`);
    }
  }
}

function programOf(command: Command): Command {
  return command.parent === null ? command : programOf(command.parent);
}

function commandsBelow(command: Command): readonly Command[] {
  return command.commands.flatMap((each) => [each, ...commandsBelow(each)]);
}

function optionNamed(command: Command, name: string): Option | undefined {
  return command.options.find(({ long }) => long === `--${name}` && name !== 'config');
}

/** A value that is overruled is parsed all the same: a wrong one should not wait until the flag is left away. */
function applyValue(command: Command, option: Option, parse: () => unknown): void {
  const attribute = option.attributeName();
  const source = command.getOptionValueSource(attribute);
  const value = parse();
  if (source !== 'cli' && source !== 'env') command.setOptionValueWithSource(attribute, value, 'config');
}

function parsedValue(path: string, name: string, option: Option, value: unknown): unknown {
  const refuse = (why: string, cause?: unknown): never => {
    throw new FreshetError('CONFIG_INVALID', `${path}: the value of "${name}" is invalid. ${why}`, { cause });
  };
  if (option.isBoolean()) return typeof value === 'boolean' ? value : refuse('It must be true or false.');
  if (option.variadic) {
    const isList = Array.isArray(value) && value.every((each) => typeof each === 'string');
    return isList ? value : refuse('It must be an array of strings.');
  }
  if (typeof value !== 'string' && typeof value !== 'number')
    return refuse('It must be a string or a number.');
  if (option.parseArg === undefined) return String(value);
  try {
    return option.parseArg(String(value), undefined);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error), error);
  }
}

function readConfig(path: string): object {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : String(cause);
    throw new FreshetError('CONFIG_INVALID', `cannot read the configuration ${path} (${code})`, { cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FreshetError('CONFIG_INVALID', `the configuration ${path} is not JSON`, { cause });
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  throw new FreshetError(
    'CONFIG_INVALID',
    `the configuration ${path} must be one JSON object of option values`,
  );
}
