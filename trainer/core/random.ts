/**
 * The trainer's source of randomness: seeded, and with a state that fits into a checkpoint, so that a run taken up
 * again draws what it would have drawn. Owns pure-rand (xoroshiro128+).
 */

import { assert } from '@freshet/protocol/assert';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { skipN } from 'pure-rand/utils/skipN';

/** Four 32-bit integers. */
export type RandomState = readonly number[];

export interface Random {
  /** A uniform integer in [0, bound), bound in 1…2^32. */
  integerBelow(bound: number): number;
  /** A copy of where the source stands; `restoreRandom` goes on from there. */
  state(): RandomState;
}

/** A state grown from one 32-bit seed is mostly zeros and ones; so many draws fill it. */
const WARM_UP_DRAWS = 64;

/** A source that depends on nothing but `seed`, any 32-bit integer. */
export function createRandom(seed: number): Random {
  assert(Number.isInteger(seed), 'a seed is an integer');
  const generator = xoroshiro128plus(scramble(seed));
  skipN(generator, WARM_UP_DRAWS);
  return drawingFrom(generator);
}

/**
 * The finaliser of MurmurHash3 (Appleby). The generator is linear in its seed: without this, the first draws of
 * neighbouring seeds are spread more evenly than chance would have them, whatever the warm-up.
 */
function scramble(seed: number): number {
  let hash = seed ^ (seed >>> 16);
  hash = Math.imul(hash, 0x85eb_ca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}

/** Goes on from a state that `state()` gave. Whether `state` is well-formed is for the reader of a checkpoint. */
export function restoreRandom(state: RandomState): Random {
  assert(state.length === 4 && state.every(Number.isInteger), 'a random state is four integers');
  return drawingFrom(xoroshiro128plusFromState(state));
}

function drawingFrom(generator: ReturnType<typeof xoroshiro128plus>): Random {
  return {
    integerBelow(bound) {
      assert(bound >= 1 && bound <= 2 ** 32, 'a bound from 1 to 2^32');
      return uniformInt(generator, 0, bound - 1);
    },
    state: () => [...generator.getState()],
  };
}

/** Puts `items` into a uniformly random order, in place (Fisher–Yates as in Knuth, TAOCP 2, algorithm 3.4.2 P). */
export function shuffle(items: Uint32Array, random: Random): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.integerBelow(last + 1);
    const moved = items[last]!;
    items[last] = items[other]!;
    items[other] = moved;
  }
}
