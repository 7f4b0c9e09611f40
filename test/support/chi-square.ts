/** Pearson's test that counts come from a stated distribution, with a bound on false alarms that is proven. */
import { strict as assert } from 'node:assert';

/** e^−18 = 1.5 · 10^−8 for one test: below 10^−6 for the sixty or so of a run. */
const TAIL_EXPONENT = 18;

/** Σ (observed − expected)² / expected. */
function chiSquare(observed: readonly number[], expected: readonly number[]): number {
  return observed.reduce((sum, count, i) => sum + (count - expected[i]!) ** 2 / expected[i]!, 0);
}

/**
 * What χ² with so many degrees of freedom exceeds with a probability below e^−18: P(χ² ≥ d + 2√(dx) + 2x) ≤ e^−x
 * (Laurent and Massart, Annals of Statistics 28(5), 2000, lemma 1).
 */
function chiSquareBound(freedom: number): number {
  return freedom + 2 * Math.sqrt(freedom * TAIL_EXPONENT) + 2 * TAIL_EXPONENT;
}

/**
 * Asserts that `observed` counts of cells may well come from independent draws with chances proportional to `weights`.
 * Cells that exclude each other within one draw (a sample without replacement) make χ² smaller, never larger.
 */
export function assertDistributed(observed: readonly number[], weights: readonly number[]): void {
  assert.equal(observed.length, weights.length);
  const drawn = observed.reduce((sum, count) => sum + count, 0);
  const weight = weights.reduce((sum, each) => sum + each, 0);
  const expected = weights.map((each) => (each / weight) * drawn);
  // Below, the normal approximation behind χ² does not hold.
  assert.ok(Math.min(...expected) >= 20, `a cell with ${Math.min(...expected)} expected says nothing`);
  const value = chiSquare(observed, expected);
  const bound = chiSquareBound(observed.length - 1);
  assert.ok(value < bound, `χ² = ${value} of ${observed.length} cells, at most ${bound}: ${observed}`);
}

/** As `assertDistributed`, all cells being equally likely. */
export function assertUniform(observed: readonly number[]): void {
  assertDistributed(
    observed,
    observed.map(() => 1),
  );
}
