/**
 * Puts a snapshot together from its chunks. Memory grows with the bytes that arrive, not with the count announced.
 */
import { FreshetError } from '@freshet/protocol/errors';
import type { Position } from '@freshet/protocol/ids';
import { SNAPSHOT_CHUNK_BYTES } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';

export interface CompleteSnapshot {
  readonly position: Position;
  /** In canonical order; owned by the caller. The root is not checked yet. */
  readonly weights: Float32Array;
}

export class SnapshotAssembly {
  readonly #position: Position;
  readonly #byteCount: number;
  readonly #chunkCount: number;
  readonly #chunks: Uint8Array[] = [];

  constructor(begin: MessageNamed<DownstreamMessage, 'snapshotBegin'>, elementCount: number) {
    this.#position = { version: begin.version, root: begin.proof.root };
    this.#byteCount = elementCount * Float32Array.BYTES_PER_ELEMENT;
    this.#chunkCount = Math.max(1, Math.ceil(this.#byteCount / SNAPSHOT_CHUNK_BYTES));
  }

  /**
   * Takes the next chunk; the bytes are copied. Returns the snapshot once it is complete, else null.
   * @throws SNAPSHOT_MALFORMED for a chunk out of turn, of another version or of the wrong size.
   */
  add(chunk: MessageNamed<DownstreamMessage, 'snapshotChunk'>): CompleteSnapshot | null {
    const index = this.#chunks.length;
    if (chunk.index !== index) throw malformed(`chunk ${chunk.index} where ${index} was due`);
    const bytesDue = Math.min(SNAPSHOT_CHUNK_BYTES, this.#byteCount - index * SNAPSHOT_CHUNK_BYTES);
    if (chunk.bytes.length !== bytesDue) throw malformed(`chunk ${index} has ${chunk.bytes.length} bytes`);
    this.#chunks.push(new Uint8Array(chunk.bytes));
    return this.#chunks.length === this.#chunkCount ? this.#join() : null;
  }

  #join(): CompleteSnapshot {
    const joined = new Uint8Array(this.#byteCount);
    for (const [i, chunk] of this.#chunks.entries()) joined.set(chunk, i * SNAPSHOT_CHUNK_BYTES);
    return { position: this.#position, weights: new Float32Array(joined.buffer) };
  }
}

function malformed(what: string): FreshetError {
  return new FreshetError('SNAPSHOT_MALFORMED', `malformed snapshot: ${what}`);
}
