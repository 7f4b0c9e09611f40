/**
 * A file of which some ranges are cut out, read as if it were whole. What is left lies in one array without gaps. For
 * the holes nothing is allocated, however large a peer says that they are: memory is in proportion to their number.
 */
import { assert } from './assert.ts';
import { FreshetError } from './errors.ts';

/** Bytes of a file from `start` up to `end`, which is not one of them. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What is left between two holes, in positions of the whole file. */
interface Run extends ByteRange {
  /** Bytes cut out before it: what separates its place in the file from its place in the array. */
  readonly cutBytes: number;
}

export class CutFile {
  /** Of the whole file, holes included. */
  readonly byteCount: number;
  readonly #kept: Uint8Array;
  /** Ascending, up to the end of the file. Empty ones lie where holes meet. */
  readonly #runs: readonly Run[];
  /** Where the last byte was found. The next one mostly lies there too. */
  #current: Run;

  /**
   * Keeps a view on `kept`. `holes` are positions in the whole file, ascending, without overlap and inside it (an
   * invariant: whoever got them from a peer has checked them). A file without holes is an ordinary one.
   */
  constructor(kept: Uint8Array, holes: readonly ByteRange[]) {
    const runs: Run[] = [];
    let position = 0;
    let cutBytes = 0;
    for (const { start, end } of holes) {
      assert(position <= start && start <= end, 'holes ascend and do not overlap');
      // Nothing is missing there, so it must not part what belongs together.
      if (start === end) continue;
      runs.push({ start: position, end: start, cutBytes });
      cutBytes += end - start;
      position = end;
    }
    this.byteCount = kept.length + cutBytes;
    assert(position <= this.byteCount, 'holes lie in the file');
    this.#current = { start: position, end: this.byteCount, cutBytes };
    this.#runs = [...runs, this.#current];
    this.#kept = kept;
  }

  /** `position` is below `byteCount`. @throws ONNX_MALFORMED in a hole. */
  byteAt(position: number): number {
    const run = this.#runAt(position);
    if (position >= run.end) throw missing(position);
    return this.#kept[position - run.cutBytes]!;
  }

  /** A view. @throws ONNX_MALFORMED when some of the range is cut out. */
  bytes({ start, end }: ByteRange): Uint8Array {
    const run = this.#runAt(start);
    if (end > run.end && end > start) throw missing(Math.max(start, run.end));
    return this.#kept.subarray(start - run.cutBytes, end - run.cutBytes);
  }

  /** The run around `position`, or the one before the hole around it. O(1) in a row, else O(log holes). */
  #runAt(position: number): Run {
    if (position >= this.#current.start && position < this.#current.end) return this.#current;
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#runs[middle]!.start <= position) low = middle;
      else high = middle - 1;
    }
    this.#current = this.#runs[low]!;
    return this.#current;
  }
}

function missing(position: number): FreshetError {
  return new FreshetError(
    'ONNX_MALFORMED',
    `not a usable ONNX file: byte ${position} tells where things lie, but was cut out as a weight`,
    { details: { byteOffset: position } },
  );
}
