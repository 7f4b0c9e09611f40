/** Errors about a recipe: they name the field and say what to write. */
import { FreshetError } from '@freshet/protocol/errors';

/** `reason` goes on after the field's name: "is 0; it has to be a positive integer". `field`: `input.shape`. */
export function invalidField(field: string, reason: string, cause?: unknown): FreshetError {
  return new FreshetError('CONFIG_INVALID', `recipe field "${field}" ${reason}`, {
    cause,
    details: { field },
  });
}

/**
 * What `run`, a function of the recipe's author, returns. An error of its own becomes one that names the field and
 * carries its stack, because only the message leaves the learner's process.
 * @throws CONFIG_INVALID
 */
export function runField<Result>(field: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    throw invalidField(field, `threw:\n${stackOf(error)}`, error);
  }
}

const OUR_FILES = new URL('..', import.meta.url).href;

/**
 * The stack of whatever was thrown by a recipe, as far as it is the recipe's: without the frames of the trainer, which
 * called it, of packages, and of Node. Of a file that is no TypeScript, where and why. Without a stack, what was thrown
 * as text.
 */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return String(error);
  const place = placeOfSyntax(error.stack);
  if (place !== null) return `${error.name}: ${error.message}\n    at ${place}`;
  const lines = error.stack.split('\n');
  return lines.filter((line) => !line.includes(OUR_FILES) && !FOREIGN_FRAME.test(line)).join('\n');
}

const FOREIGN_FRAME = /^ +at .*(?:node:|[\\/]node_modules[\\/])/;

/** The file and line that V8 and Node put before the code that they cannot read; null of any other stack. */
function placeOfSyntax(stack: string): string | null {
  return /^((?:\/|file:).+:\d+)\n/.exec(stack)?.[1] ?? null;
}

/** A value for a message: short, whatever it is. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `${value}n`;
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  if (text === undefined) return `a ${typeof value}`;
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
