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

/** The stack of whatever was thrown, or what it is as text. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
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
