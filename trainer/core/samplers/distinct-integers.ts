import { assert } from '@freshet/protocol/assert';
import type { Random } from '../random.ts';

/**
 * A uniformly random set of `count` integers in [0, bound): Floyd's algorithm (Bentley and Floyd, A sample of
 * brilliance, CACM 30(9), 1987). O(count) draws and memory, however large `bound` is. Their order carries no meaning.
 */
export function distinctIntegers(bound: number, count: number, random: Random): Set<number> {
  assert(count >= 0 && count <= bound, 'no more distinct integers than there are');
  const chosen = new Set<number>();
  for (let last = bound - count; last < bound; last++) {
    const candidate = random.integerBelow(last + 1);
    chosen.add(chosen.has(candidate) ? last : candidate);
  }
  return chosen;
}
