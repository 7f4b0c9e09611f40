/** How many of `count` weights a tensor may send at `density`: rounded down as in the paper, but one at least. */
export function shareOf(count: number, density: number): number {
  return Math.max(1, Math.floor(count * density));
}
