/** Parsers of option values: what a flag, an environment variable or a configuration file may say. */
import { InvalidArgumentError } from 'commander';

const DECIMAL = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** For whole numbers in [min, max]. */
export function integerIn(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}

/** For decimal numbers in (min, max]. */
export function numberIn(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (DECIMAL.test(text) && value > min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number above ${min} and at most ${max}.`);
  };
}

/** For TCP ports. */
export function port(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError('It must be a port from 0 to 65535; 0 lets the system choose.');
}

/** For names and paths. An empty one, as from a variable that is not set, would mean something else: all interfaces. */
export function notEmpty(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}
