/**
 * One seed for all random tests of a run: FRESHET_SEED, or drawn anew. It is printed so that a failure can be
 * reproduced with `FRESHET_SEED=n npm test`.
 */
import fc from 'fast-check';

export const seed = readSeed(process.env['FRESHET_SEED']);

console.log(`FRESHET_SEED=${seed}`);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });

function readSeed(text: string | undefined): number {
  if (text === undefined) return Math.floor(Math.random() * 2 ** 31);
  const value = Number(text);
  if (!Number.isInteger(value)) throw new TypeError(`FRESHET_SEED must be an integer, not ${text}`);
  return value;
}
