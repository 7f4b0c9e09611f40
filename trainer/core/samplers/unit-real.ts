import type { Random } from '../random.ts';

const HIGH_BITS = 2 ** 27;
const LOW_BITS = 2 ** 26;

/** A uniform multiple of 2^−53 in [0, 1): all that a double resolves there. */
export function unitReal(random: Random): number {
  const high = random.integerBelow(HIGH_BITS);
  return (high * LOW_BITS + random.integerBelow(LOW_BITS)) / (HIGH_BITS * LOW_BITS);
}
