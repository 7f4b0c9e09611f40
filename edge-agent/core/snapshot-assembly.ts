/**
 * Puts a snapshot together from its chunks, in one session or in several: what is here when a connection breaks need not
 * come again. Memory grows with the bytes that arrive, not with what is announced.
 */
import type { Position } from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import {
  decodeSnapshotChunk,
  malformedSnapshot,
  SNAPSHOT_CHUNK_ELEMENTS,
  snapshotChunkCount,
  snapshotChunkElements,
} from '@freshet/protocol/snapshot-chunk';

export interface CompleteSnapshot {
  readonly position: Position;
  /** In canonical order; owned by the caller. The root is not checked yet. */
  readonly weights: Float32Array;
}

export class SnapshotAssembly {
  readonly position: Position;
  readonly #elementCount: number;
  readonly #chunks: Float32Array[] = [];

  /** `elementCount`: of the model. */
  constructor(position: Position, elementCount: number) {
    this.position = position;
    this.#elementCount = elementCount;
  }

  /** Chunks that are here: the first ones, without gaps. */
  get chunkCount(): number {
    return this.#chunks.length;
  }

  /** As `hello` says it: null where nothing has come yet. */
  partial(): MessageNamed<UpstreamMessage, 'hello'>['partial'] {
    return this.chunkCount === 0 ? null : { ...this.position, chunkCount: this.chunkCount };
  }

  /**
   * Takes the next chunk; the bytes are copied. Returns the snapshot once it is complete, else null.
   * @throws SNAPSHOT_MALFORMED for a chunk out of turn or one that no encoder writes; what was here stays.
   */
  add(chunk: MessageNamed<DownstreamMessage, 'snapshotChunk'>): CompleteSnapshot | null {
    const index = this.chunkCount;
    if (chunk.index !== index) throw malformedSnapshot(`chunk ${chunk.index} where ${index} was due`);
    const elementCount = snapshotChunkElements(index, this.#elementCount);
    this.#chunks.push(decodeSnapshotChunk(chunk.bytes, elementCount));
    return this.chunkCount === snapshotChunkCount(this.#elementCount) ? this.#join() : null;
  }

  #join(): CompleteSnapshot {
    const weights = new Float32Array(this.#elementCount);
    for (const [i, chunk] of this.#chunks.entries()) weights.set(chunk, i * SNAPSHOT_CHUNK_ELEMENTS);
    return { position: this.position, weights };
  }
}
