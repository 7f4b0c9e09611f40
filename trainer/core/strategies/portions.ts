/** `items` in order, `count` at a time; the last portion may be smaller. Views, not copies. */
export function* portions(items: Uint32Array, count: number): Generator<Uint32Array> {
  for (let start = 0; start < items.length; start += count) yield items.subarray(start, start + count);
}
