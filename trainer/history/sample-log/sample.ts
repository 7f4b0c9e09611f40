/** The bytes of a labelled sample in a row of the log, and what its id is remembered as. */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { assert } from '@freshet/protocol/assert';
import { inputElementCount, type Sample, type SampleFormat } from '@freshet/protocol/sample-format';

/** The bytes of a sample; `input` and `target` are views on the sample's own memory. */
export interface SampleBytes {
  readonly input: Uint8Array;
  readonly target: Uint8Array;
  /** CRC-32 of input ‖ target: a flipped bit makes a NaN of a number sooner or later, and must not reach a model. */
  readonly checksum: number;
}

const KEY_BYTES = 16;

/**
 * What an id is remembered as: the first 16 bytes of a SHA-256, so that all ids take equally little room. Two origins may
 * use the same ids: devices that number their samples from 1 must not take each other's for sent.
 */
export function sampleKey(origin: string, id: string): Buffer {
  return hash('sha256', `${origin}\0${id}`, 'buffer').subarray(0, KEY_BYTES);
}

/** Bytes of input and target of any sample of `format`. */
export function payloadBytes(format: SampleFormat): number {
  return inputBytes(format) + targetBytes(format);
}

export function encodeSample(format: SampleFormat, sample: Sample): SampleBytes {
  const input = bytesOf(sample.input);
  const target = bytesOf(typeof sample.target === 'number' ? Int32Array.of(sample.target) : sample.target);
  assert(
    input.length === inputBytes(format) && target.length === targetBytes(format),
    'a sample is checked before it is stored',
  );
  return { input, target, checksum: checksumOf(input, target) };
}

/** Null where these are not the bytes that were stored. The arrays may be views on those of `bytes`. */
export function decodeSample(format: SampleFormat, bytes: SampleBytes): Sample | null {
  const { input, target, checksum } = bytes;
  if (input.length !== inputBytes(format) || target.length !== targetBytes(format)) return null;
  if (checksumOf(input, target) !== checksum) return null;
  return {
    input: format.inputType === 'uint8' ? input : floatsOf(input),
    target: format.target.kind === 'class' ? int32Of(target) : floatsOf(target),
  };
}

function inputBytes(format: SampleFormat): number {
  const elementBytes = format.inputType === 'uint8' ? 1 : Float32Array.BYTES_PER_ELEMENT;
  return inputElementCount(format) * elementBytes;
}

function targetBytes({ target }: SampleFormat): number {
  if (target.kind === 'class') return Int32Array.BYTES_PER_ELEMENT;
  return target.elementCount * Float32Array.BYTES_PER_ELEMENT;
}

function checksumOf(input: Uint8Array, target: Uint8Array): number {
  return crc32(target, crc32(input));
}

function bytesOf(array: Uint8Array | Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function floatsOf(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  const elementCount = aligned.byteLength / Float32Array.BYTES_PER_ELEMENT;
  return new Float32Array(aligned.buffer, aligned.byteOffset, elementCount);
}

function int32Of(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(0, true);
}
