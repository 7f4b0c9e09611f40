/**
 * All weights of one version as frames, each encoded when it is first asked for: encoding a large model at once would
 * hold up every other socket (44 MB take 0.15 s), a chunk takes a millisecond. A chunk's weights go when its frame is
 * there, so that a snapshot never takes more memory than the weights.
 */
import type { Position, Proof } from '@freshet/protocol/ids';
import { encodeSnapshotChunk, snapshotChunkCount } from '@freshet/protocol/snapshot-chunk';
import { chunkOf } from '../core/snapshot-estimate.ts';
import { encodeFrame } from './frame.ts';

type Chunk =
  | { readonly kind: 'weights'; readonly weights: Float32Array }
  | { readonly kind: 'frame'; readonly frame: Buffer; readonly encodedBytes: number };

export class EncodedSnapshot {
  readonly position: Position;
  readonly #proof: Proof;
  readonly #chunks: Chunk[];

  /** `weights` are copied: they may change afterwards. */
  constructor(position: Position, proof: Proof, weights: Float32Array) {
    this.position = position;
    this.#proof = proof;
    this.#chunks = Array.from({ length: snapshotChunkCount(weights.length) }, (_, index) => ({
      kind: 'weights',
      weights: chunkOf(weights, index).slice(),
    }));
  }

  get chunkCount(): number {
    return this.#chunks.length;
  }

  /** The message before the chunks from `firstChunk` on: a new frame. */
  begin(firstChunk: number): Buffer {
    const { version } = this.position;
    return encodeFrame({ type: 'snapshotBegin', version, proof: this.#proof, firstChunk });
  }

  /** The frame of chunk `index`, the same one each time: read only. */
  chunk(index: number): Buffer {
    const chunk = this.#chunks[index]!;
    if (chunk.kind === 'frame') return chunk.frame;
    const bytes = encodeSnapshotChunk(chunk.weights);
    const frame = encodeFrame({ type: 'snapshotChunk', index, bytes });
    this.#chunks[index] = { kind: 'frame', frame, encodedBytes: bytes.length };
    return frame;
  }

  /** Whether `chunk(index)` costs nothing any more. */
  isEncoded(index: number): boolean {
    return this.#chunks[index]!.kind === 'frame';
  }

  /** Encoded length of each chunk, null where it is not known yet. */
  chunkBytes(): readonly (number | null)[] {
    return this.#chunks.map((chunk) => (chunk.kind === 'frame' ? chunk.encodedBytes : null));
  }
}
