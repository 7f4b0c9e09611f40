/**
 * Position of the first of the `ascending` numbers that is at least `minimum`; their count if none is. Those before
 * `from` are known to be below it. Binary search.
 */
export function lowerBound(ascending: Uint32Array, minimum: number, from = 0): number {
  let low = from;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < minimum) low = middle + 1;
    else high = middle;
  }
  return low;
}
