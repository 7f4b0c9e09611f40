/**
 * Tensors as the device handles them between HTTP, the predictor and ONNX Runtime: the datatypes of the Open Inference
 * Protocol, each with one typed array, and what a model says of its inputs and outputs. Strings (BYTES) are left out:
 * a model that has them is refused when it is loaded.
 */

const VALUES_OF = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  /** The bits of binary16: Node 22 has no Float16Array. */
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

export type Datatype = keyof typeof VALUES_OF;

export type TensorValues =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** `values` is row-major and has as many elements as `shape` says; a BOOL is 0 or 1. */
export interface NamedTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

/** What a model says of one input or output. */
export interface TensorSignature {
  readonly name: string;
  readonly datatype: Datatype;
  /** −1 stands for a dimension of any length. Empty: a scalar, or the model does not say (ONNX Runtime hides which). */
  readonly shape: readonly number[];
}

export interface ModelSignature {
  readonly inputs: readonly TensorSignature[];
  readonly outputs: readonly TensorSignature[];
}

export function isDatatype(text: string): text is Datatype {
  return Object.hasOwn(VALUES_OF, text);
}

/** A new array of `elementCount` zeros. */
export function zerosOf(datatype: Datatype, elementCount: number): TensorValues {
  return new VALUES_OF[datatype](elementCount);
}

/** The elements that `buffer` holds in full: a view, not a copy. Little-endian, as every platform Node runs on. */
export function valuesOver(datatype: Datatype, buffer: ArrayBuffer): TensorValues {
  return new VALUES_OF[datatype](buffer);
}

/** Product of the dimensions; 1 for a scalar. Beyond 2^53 it is only approximate, which is enough to refuse it. */
export function elementCountOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Position of the first NaN or infinity, or −1. Integers are always finite. */
export function findNonFinite(tensor: NamedTensor): number {
  const { datatype, values } = tensor;
  if (datatype === 'FP16') {
    // Exponent bits all set: infinity or NaN.
    for (let i = 0; i < values.length; i++) if ((Number(values[i]) & 0x7c00) === 0x7c00) return i;
  } else if (values instanceof Float32Array || values instanceof Float64Array) {
    for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  }
  return -1;
}
