/**
 * Writes small ONNX files for tests: just enough protobuf for a graph of plain operators with initializers in
 * `raw_data`. It shares no code with what it tests. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */

export type OnnxElementType = keyof typeof ELEMENT_TYPE;

export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxElementType;
  /** A string is a symbolic dimension. */
  readonly shape: readonly (number | string)[];
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Integer attributes only. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

export interface OnnxInitializer {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | BigInt64Array;
}

/** A float initializer whose values are never made. */
export type CutInitializer = Omit<OnnxInitializer, 'values'>;

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** TensorProto.DataType */
const ELEMENT_TYPE = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
} as const;

const ATTRIBUTE_TYPE = { int: 2, ints: 7 };
const IR_VERSION = 8;
const OPSET_VERSION = 17;

/** The bytes of a complete ONNX file: a new array. */
export function buildOnnx(graph: OnnxGraph): Uint8Array {
  return Buffer.concat(modelProto(graph).filter(isBytes));
}

/**
 * An ONNX file of nothing but `initializers`, without their values, however many those would be; and the positions
 * at which they would lie in the complete file.
 */
export function buildCutOnnx(initializers: readonly CutInitializer[]): {
  graph: Uint8Array;
  fileOffsets: number[];
} {
  const withHoles = initializers.map(({ name, shape }) => {
    const byteCount = shape.reduce((product, dimension) => product * dimension, 4);
    return { name, shape, values: new Hole(byteCount) };
  });
  const parts = modelProto({ nodes: [], initializers: withHoles, inputs: [], outputs: [] });
  const fileOffsets: number[] = [];
  let position = 0;
  for (const part of parts) {
    if (!isBytes(part)) fileOffsets.push(position);
    position += part.length;
  }
  return { graph: Buffer.concat(parts.filter(isBytes)), fileOffsets };
}

type Parts = readonly (Uint8Array | Hole)[];

/** Values of a float32 initializer that are left out. */
class Hole {
  /** In bytes. */
  readonly length: number;

  constructor(byteCount: number) {
    this.length = byteCount;
  }
}

function isBytes(part: Uint8Array | Hole): part is Uint8Array {
  return part instanceof Uint8Array;
}

type InitializerProto = CutInitializer & { readonly values: OnnxInitializer['values'] | Hole };

function modelProto(
  graph: Omit<OnnxGraph, 'initializers'> & { initializers: readonly InitializerProto[] },
): Parts {
  const graphBytes = [
    ...graph.nodes.flatMap((node) => bytesField(1, nodeProto(node))),
    ...bytesField(2, text('test')),
    ...graph.initializers.flatMap((initializer) => bytesField(5, tensorProto(initializer))),
    ...graph.inputs.flatMap((value) => bytesField(11, valueInfoProto(value))),
    ...graph.outputs.flatMap((value) => bytesField(12, valueInfoProto(value))),
  ];
  return [
    ...varintField(1, IR_VERSION),
    ...bytesField(8, varintField(2, OPSET_VERSION)),
    ...bytesField(7, graphBytes),
  ];
}

function nodeProto(node: OnnxNode): Parts {
  return [
    ...node.inputs.flatMap((name) => bytesField(1, text(name))),
    ...node.outputs.flatMap((name) => bytesField(2, text(name))),
    ...bytesField(4, text(node.op)),
    ...Object.entries(node.attributes ?? {}).flatMap(([name, value]) =>
      bytesField(5, attributeProto(name, value)),
    ),
  ];
}

function attributeProto(name: string, value: number | readonly number[]): Parts {
  if (typeof value === 'number') {
    return [...bytesField(1, text(name)), ...varintField(3, value), ...varintField(20, ATTRIBUTE_TYPE.int)];
  }
  return [
    ...bytesField(1, text(name)),
    ...value.flatMap((item) => varintField(8, item)),
    ...varintField(20, ATTRIBUTE_TYPE.ints),
  ];
}

function tensorProto({ name, shape, values }: InitializerProto): Parts {
  const rawData =
    values instanceof Hole ? values : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return [
    ...shape.flatMap((dimension) => varintField(1, dimension)),
    ...varintField(2, values instanceof BigInt64Array ? ELEMENT_TYPE.int64 : ELEMENT_TYPE.float32),
    ...bytesField(8, text(name)),
    ...bytesField(9, [rawData]),
  ];
}

function valueInfoProto({ name, type, shape }: OnnxValue): Parts {
  const dimensions = shape.flatMap((dimension) =>
    bytesField(1, typeof dimension === 'number' ? varintField(1, dimension) : bytesField(2, text(dimension))),
  );
  const tensorType = [...varintField(1, ELEMENT_TYPE[type]), ...bytesField(2, dimensions)];
  return [...bytesField(1, text(name)), ...bytesField(2, bytesField(1, tensorType))];
}

function text(value: string): Parts {
  return [Buffer.from(value)];
}

function varintField(number: number, value: number): Parts {
  return [Uint8Array.from([...varint(number << 3), ...varint(value)])];
}

function bytesField(number: number, parts: Parts): Parts {
  const byteCount = parts.reduce((sum, part) => sum + part.length, 0);
  return [Uint8Array.from([...varint((number << 3) | 2), ...varint(byteCount)]), ...parts];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return bytes;
}
