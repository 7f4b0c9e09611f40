/**
 * Where the weights lie in an ONNX file, and moving them in and out of it. The canonical layout, which every index on
 * the wire refers to, is the order of the file's top-level float32 initializers; their bytes (`raw_data`,
 * little-endian) are cut, joined and patched in place, so no length prefix of the file ever changes. A device needs
 * no protobuf library for this.
 *
 * Weights are moved as bytes or as 32-bit integers, never as floats: a NaN keeps its payload. `Float32Array`s are
 * read as little-endian memory, as every platform that Node and ONNX Runtime share has it.
 *
 * Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { assert } from './assert.ts';
import { type ByteRange, CutFile } from './cut-file.ts';
import { FreshetError } from './errors.ts';
import { ELEMENT_COUNT_MAX, NAME_BYTES_MAX, TENSOR_COUNT_MAX, TENSOR_RANK_MAX } from './limits.ts';
import { packedVarints, type WireField, wireFields } from './protobuf-wire.ts';

/** One weight tensor. Offsets and counts of elements refer to the flat canonical weights. */
export interface TensorLayout {
  readonly name: string;
  readonly shape: readonly number[];
  /** Canonical index of the first element. */
  readonly elementOffset: number;
  readonly elementCount: number;
  /** Position of the first weight byte in the complete file. Not aligned to anything. */
  readonly fileOffset: number;
}

const BYTES_PER_ELEMENT = Float32Array.BYTES_PER_ELEMENT;

/** Protobuf's own limit, and ONNX Runtime's. */
const FILE_BYTES_MAX = 2 ** 31 - 1;

const MODEL_FIELD = { graph: 7 };
const GRAPH_FIELD = { initializer: 5 };
const TENSOR_FIELD = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floatData: 4,
  name: 8,
  rawData: 9,
  externalLocation: 13,
  dataLocation: 14,
};
const DATA_TYPE_FLOAT = 1;

/**
 * Finds the float32 initializers of a complete ONNX file, in file order. Initializers of other types (int64 shapes)
 * are constants, not weights, and are skipped. A float initializer must have a unique name and its values in
 * `raw_data`, as many as its shape says; a scalar has one element, and a tensor without elements needs no `raw_data`.
 * What a protobuf parser would merge or let the last one win (a second graph, name, type or `raw_data`) is refused,
 * so that no two readers can disagree.
 * @throws ONNX_MALFORMED, and nothing else, whatever the bytes are.
 */
export function readOnnxLayout(file: Uint8Array): TensorLayout[] {
  return readLayout(new CutFile(file, []));
}

/**
 * What `readOnnxLayout` would find in the file that `joinWeights` makes of `graph` with any weights in the places of
 * `announced`, found without making it: memory is in proportion to the graph and the tensors, whatever size they are
 * said to have. A peer's layout is true exactly when it comes back unchanged.
 * @throws ONNX_MALFORMED, and nothing else, whatever graph and layout are: also where the file's structure would have
 * to be read from weights.
 */
export function readCutLayout(graph: Uint8Array, announced: readonly TensorLayout[]): TensorLayout[] {
  const elementCount = announced.reduce((sum, tensor) => sum + tensor.elementCount, 0);
  // Sums beyond 2^53 are rounded, and could seem to fit.
  if (elementCount > ELEMENT_COUNT_MAX) throw malformed(`it has more than ${ELEMENT_COUNT_MAX} weights`);
  checkLayoutFits(announced, graph.length + elementCount * BYTES_PER_ELEMENT);
  return readLayout(new CutFile(graph, announced.map(rangeOfWeights)));
}

function readLayout(file: CutFile): TensorLayout[] {
  if (file.byteCount > FILE_BYTES_MAX)
    throw malformed(`it has ${file.byteCount} bytes; 2 GiB is the end of protobuf`);
  const graph = findGraph(file);
  const layout: TensorLayout[] = [];
  const names = new Set<string>();
  let elementOffset = 0;
  for (const field of wireFields(file, graph)) {
    if (field.number !== GRAPH_FIELD.initializer) continue;
    const tensor = readTensor(file, rangeOf(field, 'initializer'));
    if (tensor.dataType !== DATA_TYPE_FLOAT) continue;
    const { name, shape, elementCount, fileOffset } = describeWeights(tensor);
    if (names.has(name)) throw malformed(`two initializers are named "${name}"`);
    names.add(name);
    layout.push({ name, shape, elementOffset, elementCount, fileOffset });
    elementOffset += elementCount;
    if (layout.length > TENSOR_COUNT_MAX)
      throw malformed(`it has more than ${TENSOR_COUNT_MAX} weight tensors`);
    if (elementOffset > ELEMENT_COUNT_MAX) throw malformed(`it has more than ${ELEMENT_COUNT_MAX} weights`);
  }
  return layout;
}

/**
 * The file without its weight bytes: a new array. It is no valid protobuf message any more (lengths still count the
 * weights); `joinWeights` makes it one again.
 * @throws ONNX_MALFORMED when the layout does not fit the file.
 */
export function cutWeights(file: Uint8Array, layout: readonly TensorLayout[]): Uint8Array {
  const elementCount = checkLayoutFits(layout, file.length);
  const graph = new Uint8Array(file.length - elementCount * BYTES_PER_ELEMENT);
  let position = 0;
  let kept = 0;
  for (const { fileOffset, elementCount: count } of layout) {
    graph.set(file.subarray(position, fileOffset), kept);
    kept += fileOffset - position;
    position = fileOffset + count * BYTES_PER_ELEMENT;
  }
  graph.set(file.subarray(position), kept);
  return graph;
}

/**
 * The complete file: a new array, exactly what `cutWeights` and `extractWeights` took apart. Where `layout` comes
 * from a peer, compare it with `readCutLayout` before trusting it.
 * @throws ONNX_MALFORMED when graph, layout and weights do not fit together.
 */
export function joinWeights(
  graph: Uint8Array,
  layout: readonly TensorLayout[],
  weights: Float32Array,
): Uint8Array {
  const fileBytes = graph.length + weights.byteLength;
  const elementCount = checkLayoutFits(layout, fileBytes);
  if (elementCount !== weights.length) {
    throw malformed(`the layout has ${elementCount} weights, but ${weights.length} were given`);
  }
  const weightBytes = bytesOf(weights);
  const file = new Uint8Array(fileBytes);
  let position = 0;
  let kept = 0;
  for (const { fileOffset, elementOffset, elementCount: count } of layout) {
    file.set(graph.subarray(kept, kept + fileOffset - position), position);
    kept += fileOffset - position;
    const byteOffset = elementOffset * BYTES_PER_ELEMENT;
    position = fileOffset + count * BYTES_PER_ELEMENT;
    file.set(weightBytes.subarray(byteOffset, byteOffset + position - fileOffset), fileOffset);
  }
  file.set(graph.subarray(kept), position);
  return file;
}

/**
 * The weights in canonical order: a copy.
 * @throws ONNX_MALFORMED when the layout does not fit the file.
 */
export function extractWeights(file: Uint8Array, layout: readonly TensorLayout[]): Float32Array {
  const weights = new Float32Array(checkLayoutFits(layout, file.length));
  const weightBytes = bytesOf(weights);
  for (const { fileOffset, elementOffset, elementCount } of layout) {
    const tensorBytes = file.subarray(fileOffset, fileOffset + elementCount * BYTES_PER_ELEMENT);
    weightBytes.set(tensorBytes, elementOffset * BYTES_PER_ELEMENT);
  }
  return weights;
}

/**
 * Sets weight `indices[i]` of the file to the float whose bits are `valueBits[i]`, in place: O(indices + tensors).
 * `indices` are canonical and strictly ascending (an invariant: whoever decoded them has checked them). Either all
 * are written or none.
 * @throws ONNX_MALFORMED when the layout does not fit the file.
 */
export function patchWeights(
  file: Uint8Array,
  layout: readonly TensorLayout[],
  indices: Uint32Array,
  valueBits: Uint32Array,
): void {
  const elementCount = checkLayoutFits(layout, file.length);
  assert(indices.length === valueBits.length, 'a patch has one value for each index');
  for (let i = 1; i < indices.length; i++) {
    assert(indices[i - 1]! < indices[i]!, 'the indices of a patch are strictly ascending');
  }
  assert(
    indices.length === 0 || indices[indices.length - 1]! < elementCount,
    'the indices of a patch lie in the model',
  );
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let i = 0;
  for (const { fileOffset, elementOffset, elementCount: count } of layout) {
    const elementEnd = elementOffset + count;
    for (; i < indices.length && indices[i]! < elementEnd; i++) {
      view.setUint32(fileOffset + (indices[i]! - elementOffset) * BYTES_PER_ELEMENT, valueBits[i]!, true);
    }
  }
}

/** What an initializer's fields say, before anything is concluded from it. */
interface RawTensor {
  readonly range: ByteRange;
  readonly shape: number[];
  dataType: number | undefined;
  name: string | undefined;
  rawData: ByteRange | undefined;
  /** Where values lie instead of in `raw_data`, for the error message. */
  valuesElsewhere: string | undefined;
}

function findGraph(file: CutFile): ByteRange {
  let graph: ByteRange | undefined;
  for (const field of wireFields(file, { start: 0, end: file.byteCount })) {
    if (field.number !== MODEL_FIELD.graph) continue;
    if (graph !== undefined) throw malformed('it has two graphs');
    graph = rangeOf(field, 'graph');
  }
  if (graph === undefined) throw malformed('it has no graph');
  return graph;
}

function readTensor(file: CutFile, range: ByteRange): RawTensor {
  const tensor: RawTensor = {
    range,
    shape: [],
    dataType: undefined,
    name: undefined,
    rawData: undefined,
    valuesElsewhere: undefined,
  };
  for (const field of wireFields(file, range)) readTensorField(file, tensor, field);
  return tensor;
}

function readTensorField(file: CutFile, tensor: RawTensor, field: WireField): void {
  switch (field.number) {
    case TENSOR_FIELD.dims:
      for (const dimension of numbersOf(file, field, 'dims')) {
        // Not checked against the number of values yet: a later dimension may be zero.
        if (!Number.isSafeInteger(dimension)) throw malformed('an initializer has a dimension out of range');
        tensor.shape.push(dimension);
        if (tensor.shape.length > TENSOR_RANK_MAX) {
          throw malformed(`an initializer has more than ${TENSOR_RANK_MAX} dimensions`);
        }
      }
      return;
    case TENSOR_FIELD.dataType:
      if (field.kind !== 'varint' || field.value >= 2 ** 31 || tensor.dataType !== undefined) {
        throw malformed('an initializer has a bad or a second data type');
      }
      tensor.dataType = field.value;
      return;
    case TENSOR_FIELD.name:
      if (tensor.name !== undefined) throw malformed(`initializer "${tensor.name}" has a second name`);
      tensor.name = readName(file, rangeOf(field, 'name'));
      return;
    case TENSOR_FIELD.rawData:
      if (tensor.rawData !== undefined) throw malformed('an initializer has a second raw_data');
      tensor.rawData = rangeOf(field, 'raw_data');
      return;
    case TENSOR_FIELD.segment:
      tensor.valuesElsewhere = 'another segment';
      return;
    case TENSOR_FIELD.floatData:
      tensor.valuesElsewhere = 'float_data';
      return;
    case TENSOR_FIELD.externalLocation:
      tensor.valuesElsewhere = 'an external file';
      return;
    case TENSOR_FIELD.dataLocation:
      if (field.kind !== 'varint' || field.value !== 0) tensor.valuesElsewhere = 'an external file';
      return;
  }
}

function describeWeights(tensor: RawTensor): {
  name: string;
  shape: number[];
  elementCount: number;
  fileOffset: number;
} {
  const { name, shape, rawData, range } = tensor;
  if (name === undefined || name === '') throw malformed('a float32 initializer has no name');
  if (tensor.valuesElsewhere !== undefined) {
    throw malformed(
      `the values of initializer "${name}" are in ${tensor.valuesElsewhere}; save the model with raw_data`,
    );
  }
  // Finite: at most TENSOR_RANK_MAX factors below 2^53. Too large a product does not match the bytes.
  const elementCount = shape.reduce((product, dimension) => product * dimension, 1);
  const { start, end } = rawData ?? { start: range.end, end: range.end };
  if (end - start !== elementCount * BYTES_PER_ELEMENT) {
    throw malformed(
      `initializer "${name}" of shape [${shape.join(', ')}] has ${end - start} bytes of raw_data ` +
        `instead of ${elementCount * BYTES_PER_ELEMENT}`,
    );
  }
  return { name, shape, elementCount, fileOffset: start };
}

/** A leading U+FEFF is part of the name: else two names could decode to the same text. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readName(file: CutFile, range: ByteRange): string {
  if (range.end - range.start > NAME_BYTES_MAX)
    throw malformed(`an initializer's name is longer than ${NAME_BYTES_MAX} bytes`);
  const bytes = file.bytes(range);
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new FreshetError('ONNX_MALFORMED', "not a usable ONNX file: an initializer's name is not UTF-8", {
      cause,
      details: { byteOffset: range.start },
    });
  }
}

function rangeOf(field: WireField, name: string): ByteRange {
  if (field.kind !== 'bytes') throw malformed(`field ${name} is a number`);
  return field;
}

/** A repeated integer field, whether the writer packed it or not. */
function numbersOf(file: CutFile, field: WireField, name: string): Iterable<number> {
  if (field.kind === 'varint') return [field.value];
  return packedVarints(file, rangeOf(field, name));
}

function rangeOfWeights({ fileOffset, elementCount }: TensorLayout): ByteRange {
  return { start: fileOffset, end: fileOffset + elementCount * BYTES_PER_ELEMENT };
}

/** Checks that the tensors lie in the file one after the other; returns the number of weights. */
function checkLayoutFits(layout: readonly TensorLayout[], fileBytes: number): number {
  let elementEnd = 0;
  let fileEnd = 0;
  for (const { name, elementOffset, elementCount, fileOffset } of layout) {
    const tensorEnd = fileOffset + elementCount * BYTES_PER_ELEMENT;
    // Written so that a NaN or a fraction fails too.
    const fits =
      elementOffset === elementEnd &&
      Number.isSafeInteger(elementCount) &&
      Number.isSafeInteger(fileOffset) &&
      elementCount >= 0 &&
      fileOffset >= fileEnd &&
      tensorEnd <= fileBytes;
    if (!fits) throw malformed(`tensor "${name}" of the layout does not lie in a file of ${fileBytes} bytes`);
    elementEnd += elementCount;
    fileEnd = tensorEnd;
  }
  return elementEnd;
}

function bytesOf(weights: Float32Array): Uint8Array {
  return new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
}

function malformed(reason: string): FreshetError {
  return new FreshetError('ONNX_MALFORMED', `not a usable ONNX file: ${reason}`);
}
