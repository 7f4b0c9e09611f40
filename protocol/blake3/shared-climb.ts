/**
 * One climb of a tree by two threads. Neither is given a part: each claims the next range of chunks when it is done
 * with one, so that a thread which the system does not schedule holds up the other by one range at most. Both see the
 * same memory and write different nodes; the atomic counters order the writes.
 *
 * A helper may die inside a range, and a thread that waits synchronously is not told. So nobody waits for it for long:
 * the climb is then made again in other memory. The helper, should it be slow and not dead, can come back to nodes that
 * nobody reads any more, and does no harm.
 */
import { lowerBound } from '../lower-bound.ts';
import { ancestorsOf, ChunkTree, chunkCountOf } from './chunk-tree.ts';

/** Below this many touched chunks (1 ms of hashing), waking the helper costs about as much as it saves. */
export const SHARED_CHUNKS_MIN = 2048;

/**
 * Rows that are hashed within a range; a range is the chunks below one node of the row above them. Its 512 chunks take
 * 0.3 ms; with fewer, short rows and their last, not full vectors cost more than an even end saves.
 */
const RANGE_ROWS = 9;
const RANGE_CHUNKS = 2 ** RANGE_ROWS;

/** Indices of the counters. */
const CLAIMED = 0;
const DONE = 1;

/** How often to look at a counter before sleeping on it: some 100 µs, about what falling asleep and waking costs. */
const SPINS_MAX = 10_000;

/**
 * How long to wait for a range: 300 times what it takes. Too short a time costs one climb, never a wrong hash; too long a
 * one holds up the whole process behind a thread that is dead.
 */
const RANGE_MS_MAX = 100;

/** A climb that threads take part in, as it is posted to them: all but the numbers of chunks is shared memory. */
export interface SharedClimb {
  /** What the tree is over, and its nodes: the arguments of `ChunkTree`. */
  readonly bytes: Uint8Array;
  readonly nodes: Uint32Array;
  /** Ascending. */
  readonly touchedChunks: Uint32Array;
  /** Ranges claimed and done so far. */
  readonly counters: Int32Array;
}

/** A thread that can be asked to call `takePart`. It may keep the memory of its last climbs alive. */
export interface HashHelper {
  /** Asks without waiting. Nothing happens while the helper is not running, or busy. */
  offer(climb: SharedClimb): void;
}

/**
 * `tree.climb(touchedChunks)` for the tree over the shared `bytes` and `nodes`, with what help there is. Returns the nodes
 * of the tree: `nodes`, or a shared copy where the helper did not finish. `nodes` are the helper's then: whoever called
 * reads them no more.
 */
export function climbTogether(
  bytes: Uint8Array,
  nodes: Uint32Array,
  touchedChunks: Uint32Array,
  helper: HashHelper,
): Uint32Array {
  const counters = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  const climb = { bytes, nodes, touchedChunks, counters };
  helper.offer(climb);
  takePart(climb);
  if (!isDoneInTime(climb)) return climbAlone(climb);
  const tree = new ChunkTree(bytes, nodes);
  if (tree.rowCount > RANGE_ROWS) tree.climb(ancestorsOf(touchedChunks, RANGE_ROWS), RANGE_ROWS);
  return nodes;
}

/** Hashes ranges of `climb` until all are claimed. An offer that is taken up too late finds nothing to do. */
export function takePart({ bytes, nodes, touchedChunks, counters }: SharedClimb): void {
  const tree = new ChunkTree(bytes, nodes);
  const rowEnd = Math.min(RANGE_ROWS, tree.rowCount);
  const rangeCount = rangeCountOf(bytes);
  for (;;) {
    const range = Atomics.add(counters, CLAIMED, 1);
    if (range >= rangeCount) return;
    const begin = lowerBound(touchedChunks, range * RANGE_CHUNKS);
    const end = lowerBound(touchedChunks, (range + 1) * RANGE_CHUNKS);
    tree.climb(touchedChunks.subarray(begin, end), 0, rowEnd);
    Atomics.add(counters, DONE, 1);
    Atomics.notify(counters, DONE);
  }
}

/** Waits for the ranges that the helper has claimed; false when one of them takes too long. */
function isDoneInTime({ bytes, counters }: SharedClimb): boolean {
  const rangeCount = rangeCountOf(bytes);
  for (let spins = 0; spins < SPINS_MAX; spins++)
    if (Atomics.load(counters, DONE) === rangeCount) return true;
  for (let done = Atomics.load(counters, DONE); done < rangeCount; done = Atomics.load(counters, DONE)) {
    if (Atomics.wait(counters, DONE, done, RANGE_MS_MAX) === 'timed-out') return false;
  }
  return true;
}

/** The whole climb, in memory that no helper knows. What is copied half written is hashed again: it is above a touched chunk. */
function climbAlone({ bytes, nodes, touchedChunks }: SharedClimb): Uint32Array {
  const copy = new Uint32Array(new SharedArrayBuffer(nodes.byteLength));
  copy.set(nodes);
  new ChunkTree(bytes, copy).climb(touchedChunks);
  return copy;
}

function rangeCountOf(bytes: Uint8Array): number {
  return Math.ceil(chunkCountOf(bytes.length) / RANGE_CHUNKS);
}
