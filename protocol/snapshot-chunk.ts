/**
 * The bytes of one chunk of a snapshot (PROTOCOL.md, "Snapshot chunks"): a fixed range of the weights, compressed where
 * it pays.
 *
 *   chunk = planeSet ‖ planes
 *
 * planeSet 0: the weights as little-endian float32, nothing else. Otherwise each weight's bits are rotated left by one,
 * so that the exponent fills the highest byte and the sign joins the lowest bit of the mantissa, and the bytes are
 * sorted by place: plane p holds byte p of all weights, lowest first. Where bit p of planeSet is set, plane p is a
 * Zstandard frame behind its length (u32le), else as it is. Mantissas are noise and stay; exponents shrink to a third.
 *
 * Chunks are independent of each other, and a decoder takes any choice of planes: two encoders need not agree.
 *
 * This file alone of the contract uses `node:zlib`: what Zstandard makes of a plane is part of the format, and a decoder
 * handed in from outside would move the bounds on its memory out of sight.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { assert } from './assert.ts';
import { FreshetError } from './errors.ts';
import { SNAPSHOT_CHUNK_BYTES, SNAPSHOT_EXPANSION_MAX } from './limits.ts';

const ELEMENT_BYTES = Float32Array.BYTES_PER_ELEMENT;
const PLANE_COUNT = ELEMENT_BYTES;
const ALL_PLANES = (1 << PLANE_COUNT) - 1;
const LENGTH_BYTES = 4;

/** Weights that one chunk covers; the last chunk of a snapshot may have fewer. */
export const SNAPSHOT_CHUNK_ELEMENTS = SNAPSHOT_CHUNK_BYTES / ELEMENT_BYTES;

/**
 * Exponents need a Huffman code and little else: measured on trained and on freshly drawn weights, level 1 gives
 * 0.842–0.845 of the raw bytes in 0.8 ms a chunk, level 3 gives 0.849 and level 9 0.847 in four times the time (longer
 * matches in noise only disturb the code). All planes in one frame share one code: 0.88.
 */
const COMPRESSION = { [constants.ZSTD_c_compressionLevel]: 1 };

/** Window of 128 KiB, twice a plane: a frame that asks the decoder for more memory is refused. */
const WINDOW_BITS_MAX = 17;
const DECOMPRESSION = { [constants.ZSTD_d_windowLogMax]: WINDOW_BITS_MAX };

/** What a Zstandard frame begins with (RFC 8878 §3.1.1); frames to be passed over begin with something else. */
const FRAME_MAGIC = 0xfd2f_b528;
const FRAME_MAGIC_BYTES = 4;

/** node:zlib takes no smaller buffers. */
const ZLIB_CHUNK_BYTES_MIN = 64;

/** Number of chunks that the weights of a model travel in: one at least. */
export function snapshotChunkCount(elementCount: number): number {
  return Math.max(1, Math.ceil(elementCount / SNAPSHOT_CHUNK_ELEMENTS));
}

/** Number of weights in chunk `index`. */
export function snapshotChunkElements(index: number, elementCount: number): number {
  assert(index >= 0 && index < snapshotChunkCount(elementCount), 'a chunk of the snapshot');
  return Math.min(SNAPSHOT_CHUNK_ELEMENTS, elementCount - index * SNAPSHOT_CHUNK_ELEMENTS);
}

/** Encodes the weights of one chunk (only read) into a new buffer: at most one byte more than the weights have. */
export function encodeSnapshotChunk(weights: Float32Array): Uint8Array {
  assert(weights.length <= SNAPSHOT_CHUNK_ELEMENTS, 'no more weights than a chunk covers');
  const planes = planesOf(weights).map((plane) => ({ plane, frame: compressWherePays(plane) }));
  boundExpansion(planes, weights.byteLength);
  const planeSet = planes.reduce((set, { frame }, p) => (frame === null ? set : set | (1 << p)), 0);
  if (planeSet === 0) return concat([Uint8Array.of(0), bytesOf(weights)]);
  const parts = planes.flatMap(({ plane, frame }) => (frame === null ? [plane] : [lengthOf(frame), frame]));
  return concat([Uint8Array.of(planeSet), ...parts]);
}

/**
 * Decodes a chunk that covers `elementCount` weights into a new array. What is allocated is in proportion to `bytes`:
 * SNAPSHOT_EXPANSION_MAX times as much at most, and a Zstandard window.
 * @throws SNAPSHOT_MALFORMED; for damage that this does not show in, the root will not come out.
 */
export function decodeSnapshotChunk(bytes: Uint8Array, elementCount: number): Float32Array {
  assert(elementCount <= SNAPSHOT_CHUNK_ELEMENTS, 'no more weights than a chunk covers');
  const [planeSet] = bytes;
  if (planeSet === undefined) throw malformedSnapshot('an empty chunk');
  if (planeSet > ALL_PLANES) throw malformedSnapshot(`a chunk with the unknown encoding ${planeSet}`);
  if (elementCount * ELEMENT_BYTES > SNAPSHOT_EXPANSION_MAX * bytes.length) {
    throw malformedSnapshot(`a chunk of ${bytes.length} bytes for ${elementCount} weights`);
  }
  if (planeSet !== 0) return weightsOfPlanes(readPlanes(bytes, planeSet, elementCount), elementCount);
  if (bytes.length !== 1 + elementCount * ELEMENT_BYTES) {
    throw malformedSnapshot(`a chunk of ${bytes.length} bytes for ${elementCount} weights as they are`);
  }
  // Copied, because `bytes` is a view on a frame. Not `slice()`: a Buffer's is a view as well.
  return new Float32Array(new Uint8Array(bytes.subarray(1)).buffer);
}

/** A snapshot, or a part of one, that no hub sends. */
export function malformedSnapshot(what: string, cause?: unknown): FreshetError {
  return new FreshetError('SNAPSHOT_MALFORMED', `malformed snapshot: ${what}`, { cause });
}

function bytesOf(weights: Float32Array): Uint8Array {
  return new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
}

function planesOf(weights: Float32Array): Uint8Array[] {
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const count = bits.length;
  const planes = new Uint8Array(PLANE_COUNT * count);
  for (let i = 0; i < count; i++) {
    const rotated = (bits[i]! << 1) | (bits[i]! >>> 31);
    planes[i] = rotated;
    planes[count + i] = rotated >>> 8;
    planes[2 * count + i] = rotated >>> 16;
    planes[3 * count + i] = rotated >>> 24;
  }
  return Array.from({ length: PLANE_COUNT }, (_, p) => planes.subarray(p * count, (p + 1) * count));
}

function weightsOfPlanes(planes: readonly Uint8Array[], count: number): Float32Array {
  const [first, second, third, fourth] = planes;
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const rotated = first![i]! | (second![i]! << 8) | (third![i]! << 16) | (fourth![i]! << 24);
    bits[i] = (rotated >>> 1) | (rotated << 31);
  }
  return new Float32Array(bits.buffer);
}

interface EncodedPlane {
  readonly plane: Uint8Array;
  /** Null where the plane travels as it is. */
  frame: Uint8Array | null;
}

function compressWherePays(plane: Uint8Array): Uint8Array | null {
  const frame = zstdCompressSync(plane, { params: COMPRESSION });
  return frame.length + LENGTH_BYTES < plane.length ? frame : null;
}

/** Weights that are all alike would expand more than a receiver allows: their lowest plane stays as it is. */
function boundExpansion(planes: readonly EncodedPlane[], weightBytes: number): void {
  const sum = planes.reduce((bytes, { plane, frame }) => bytes + (frame ?? plane).length, 0);
  if (weightBytes > SNAPSHOT_EXPANSION_MAX * sum) planes[0]!.frame = null;
}

function readPlanes(bytes: Uint8Array, planeSet: number, planeBytes: number): Uint8Array[] {
  let at = 1;
  const take = (length: number): Uint8Array => {
    const part = bytes.subarray(at, at + length);
    if (part.length !== length) throw malformedSnapshot(`a chunk that ends after ${bytes.length} bytes`);
    at += length;
    return part;
  };
  const planes = Array.from({ length: PLANE_COUNT }, (_, p) => {
    const isCompressed = (planeSet & (1 << p)) !== 0;
    return isCompressed ? decompress(take(uint32At(take(LENGTH_BYTES))), planeBytes) : take(planeBytes);
  });
  if (at !== bytes.length) throw malformedSnapshot(`${bytes.length - at} bytes after the end of a chunk`);
  return planes;
}

/** The `planeBytes` bytes that `frame` holds. @throws SNAPSHOT_MALFORMED when it holds others, or is not one frame. */
function decompress(frame: Uint8Array, planeBytes: number): Uint8Array {
  // node:zlib would take a frame to be passed over for a plane without bytes, and might know formats of earlier releases.
  if (frame.length < FRAME_MAGIC_BYTES || uint32At(frame) !== FRAME_MAGIC) {
    throw malformedSnapshot('a plane that is no Zstandard frame');
  }
  // node:zlib takes what it has got for all there is, and stops at the end of a frame. So a byte more shows whether the
  // frame was at its end: one that was not takes it.
  const { buffer, engine } = inflate(concat([frame, Uint8Array.of(0)]), planeBytes);
  if (buffer.length !== planeBytes || engine.bytesWritten !== frame.length) {
    throw malformedSnapshot(
      `a plane of ${buffer.length} bytes in ${engine.bytesWritten} of ${frame.length}, where ${planeBytes} were due`,
    );
  }
  return buffer;
}

/** What node:zlib returns with the option `info`: the output, and how much input it took. */
interface Inflated {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

function inflate(frame: Uint8Array, bytesMax: number): Inflated {
  try {
    const output = zstdDecompressSync(frame, {
      params: DECOMPRESSION,
      maxOutputLength: Math.max(1, bytesMax),
      // One buffer for all of the output, and a byte that shows node:zlib that it was enough.
      chunkSize: Math.max(ZLIB_CHUNK_BYTES_MIN, bytesMax + 1),
      info: true,
    });
    // The types of Node know the option but not what it changes.
    return output as unknown as Inflated;
  } catch (error) {
    if (isZlibFailure(error)) throw malformedSnapshot('a plane that Zstandard cannot read', error);
    throw error;
  }
}

/** Failures of the input. Others, as of memory, are not the sender's. */
function isZlibFailure(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return error.code.startsWith('ZSTD_error_') || error.code === 'ERR_BUFFER_TOO_LARGE';
}

function lengthOf(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES);
  new DataView(bytes.buffer).setUint32(0, frame.length, true);
  return bytes;
}

function uint32At(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
