/** Real numbers from the trainer's source of integers. */
import type { Random } from '@freshet/trainer/core/random';

const UNIT = 2 ** 32;

/** Uniform in [−1, 1). */
export function symmetricDraw(random: Random): number {
  return (2 * random.integerBelow(UNIT)) / UNIT - 1;
}

/** Standard normal (Marsaglia's polar method). */
export function normalDraw(random: Random): number {
  const { x, square } = pointInDisc(random);
  return x * Math.sqrt((-2 * Math.log(square)) / square);
}

/** Student's t with `freedom` degrees of freedom (Bailey, Mathematics of Computation 62, 1994). */
export function studentDraw(random: Random, freedom: number): number {
  const { x, square } = pointInDisc(random);
  return x * Math.sqrt((freedom * (square ** (-2 / freedom) - 1)) / square);
}

/** Uniform in the unit disc without its centre. */
function pointInDisc(random: Random): { readonly x: number; readonly square: number } {
  for (;;) {
    const x = symmetricDraw(random);
    const y = symmetricDraw(random);
    const square = x * x + y * y;
    if (square > 0 && square < 1) return { x, square };
  }
}
