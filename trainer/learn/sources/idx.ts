/**
 * The IDX format of the MNIST files: two zero bytes, the element type, the rank, each dimension as a big-endian
 * uint32, then the elements in row-major order. Only unsigned bytes (type 8) are read here.
 */
import { FreshetError } from '@freshet/protocol/errors';

export interface IdxArray {
  readonly shape: readonly number[];
  /** A view on the bytes it was read from. */
  readonly elements: Uint8Array;
}

const UNSIGNED_BYTE = 8;

/**
 * Reads an IDX file of unsigned bytes with `rank` dimensions. `fileName` is for messages.
 * @throws SAMPLES_INVALID when the bytes are not exactly that
 */
export function parseIdx(bytes: Uint8Array, rank: number, fileName: string): IdxArray {
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes) {
    throw invalid(fileName, `has ${bytes.length} bytes; its header alone takes ${headerBytes}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const expected = (UNSIGNED_BYTE << 8) | rank;
  if (magic !== expected) {
    throw invalid(
      fileName,
      `starts with magic number ${magic}; unsigned bytes of rank ${rank} have ${expected}`,
    );
  }
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const elementCount = shape.reduce((product, dimension) => product * dimension, 1);
  const elements = bytes.subarray(headerBytes);
  if (elements.length !== elementCount) {
    throw invalid(
      fileName,
      `holds ${elements.length} elements; its shape ${shape.join('×')} takes ${elementCount}`,
    );
  }
  return { shape, elements };
}

function invalid(fileName: string, what: string): FreshetError {
  return new FreshetError('SAMPLES_INVALID', `${fileName} ${what}`);
}
