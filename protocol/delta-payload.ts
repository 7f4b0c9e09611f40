/**
 * The bytes of a sparse delta (PROTOCOL.md, "Delta payload"):
 *
 *   header | coded symbols, from the front ▶   ◀ raw bits, from the back
 *
 * Values are coded as the way from the weight that the receiver holds: small changes of known weights take far fewer
 * bits than the values themselves. What comes out are absolute bit patterns all the same. Positions come first and can
 * be read without any weights.
 */
import { assert } from './assert.ts';
import { bitsOf, type SparseDelta } from './delta.ts';
import { decodeIndices, encodeIndices } from './payload/gap-coder.ts';
import { malformedDelta } from './payload/malformed-delta.ts';
import { decodeHeader, encodeHeader, type PayloadHeader } from './payload/payload-header.ts';
import { RangeDecoder, RangeEncoder } from './payload/range-coder.ts';
import { RawBitReader, RawBitWriter } from './payload/raw-bits.ts';
import { decodeRank, encodeRank, RANKED_COUNT_MAX } from './payload/set-rank.ts';
import {
  type Change,
  decodeValues,
  encodeValues,
  gatherBits,
  stepExponentOf,
  type TensorSpan,
  type TensorValues,
} from './payload/value-coder.ts';
import type { ValueFormat } from './payload/value-format.ts';

/** What a payload refers to: the tensors of the model, in canonical order and without gaps. */
export interface DeltaLayout {
  readonly tensors: readonly TensorSpan[];
  readonly elementCount: number;
}

const EXACT: TensorValues = { format: 'f32' };

/** Every change costs one raw bit at least, its sign: no payload can announce more of them than it has bits. */
const CHANGES_PER_BYTE_MAX = 8;

/**
 * Encodes `delta` for receivers that hold `base` (only read) into a new buffer. `values`: how those of each tensor
 * travel; exact float32 where it is absent.
 * @throws RangeError when a value is none of its tensor's format: round it first.
 */
export function encodeDeltaPayload(
  delta: SparseDelta,
  base: Float32Array,
  layout: DeltaLayout,
  values: readonly TensorValues[] = layout.tensors.map(() => EXACT),
): Uint8Array {
  assert(values.length === layout.tensors.length, 'values have a format for each tensor');
  assert(base.length === layout.elementCount, 'the base has as many weights as the model');
  const change: Change = { ...delta, oldBits: gatherBits(bitsOf(base), delta.indices) };
  const formats = values.map(({ format }) => format);
  const count = delta.indices.length;
  const stepExponent = stepExponentOf(change, layout.tensors, formats);
  if (count === 0) return Uint8Array.from(encodeHeader({ formats, count, ranked: false, stepExponent }));

  const encode = (ranked: boolean): Uint8Array => {
    const coder = new RangeEncoder();
    const raw = new RawBitWriter();
    if (ranked) encodeRank(raw, delta.indices, layout.elementCount);
    else encodeIndices(coder, raw, delta.indices, layout.elementCount);
    encodeValues(coder, raw, change, layout.tensors, values, stepExponent);
    return join(encodeHeader({ formats, count, ranked, stepExponent }), coder.finish(), raw.finish());
  };
  const withGaps = encode(false);
  if (count > RANKED_COUNT_MAX) return withGaps;
  const withRank = encode(true);
  return withRank.length < withGaps.length ? withRank : withGaps;
}

/**
 * Decodes a payload for weights that are now `base` (only read). The result owns its memory: eight bytes for each change,
 * 64 for each of `bytes` at most, whatever count they announce.
 * @throws DELTA_MALFORMED; for damage that this does not show in, the root will not come out.
 */
export function decodeDeltaPayload(bytes: Uint8Array, base: Float32Array, layout: DeltaLayout): SparseDelta {
  assert(base.length === layout.elementCount, 'the base has as many weights as the model');
  const { header, coder, raw, indices } = decodePositions(bytes, layout);
  const { formats, stepExponent } = header;
  const valueBits = gatherBits(bitsOf(base), indices);
  decodeValues(coder, raw, indices, valueBits, layout.tensors, formats, stepExponent);
  checkEnds(coder, raw);
  return { indices, valueBits };
}

/** Only the positions that `bytes` changes, ascending. @throws DELTA_MALFORMED */
export function decodeDeltaIndices(bytes: Uint8Array, layout: DeltaLayout): Uint32Array {
  return decodePositions(bytes, layout).indices;
}

/** The value formats in `bytes`, each once. @throws DELTA_MALFORMED */
export function formatsOfPayload(bytes: Uint8Array, layout: DeltaLayout): readonly ValueFormat[] {
  return [...new Set(decodeHeader(bytes, layout.tensors.length).header.formats)];
}

interface Positions {
  readonly header: PayloadHeader;
  readonly indices: Uint32Array;
  /** Both stand at the first value. */
  readonly coder: RangeDecoder;
  readonly raw: RawBitReader;
}

function decodePositions(bytes: Uint8Array, { tensors, elementCount }: DeltaLayout): Positions {
  const { header, end } = decodeHeader(bytes, tensors.length);
  const { count } = header;
  if (count > elementCount) throw malformedDelta(`${count} changes in a model of ${elementCount} weights`);
  if (count > CHANGES_PER_BYTE_MAX * (bytes.length - end)) throw malformedDelta('fewer bits than changes');
  if (count === 0 && end !== bytes.length) throw malformedDelta('bytes after no changes');
  const coder = new RangeDecoder(bytes, end);
  const raw = new RawBitReader(bytes, end);
  const indices = header.ranked
    ? decodeRank(raw, count, elementCount)
    : decodeIndices(coder, raw, count, elementCount);
  return { header, indices, coder, raw };
}

/** The symbols have to end where the raw bits do. The decoder of symbols is up to four bytes ahead. */
function checkEnds(coder: RangeDecoder, raw: RawBitReader): void {
  const slack = coder.position - raw.position;
  if (slack < 0 || slack > 4) throw malformedDelta('symbols and raw bits do not meet');
}

function join(header: readonly number[], symbols: Uint8Array, raw: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(header.length + symbols.length + raw.length);
  bytes.set(header);
  bytes.set(symbols, header.length);
  bytes.set(raw, header.length + symbols.length);
  return bytes;
}
