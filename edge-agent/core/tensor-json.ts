/**
 * Tensor contents as JSON, as the Open Inference Protocol has them: nested arrays or one flat array, row-major.
 * A value is taken only if the datatype holds it exactly (floats: after rounding), so nothing is wrapped, cut or
 * turned into NaN. 64-bit integers beyond 2^53 travel as strings of digits, since a JSON number would round them.
 * https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import {
  type Datatype,
  elementCountOf,
  findNonFinite,
  type NamedTensor,
  type TensorValues,
  zerosOf,
} from './tensor.ts';

/** Writes `row` into the values from position `at` on; returns the position in `row` of what does not fit, or −1. */
type RowReader = (row: readonly unknown[], at: number) => number;

interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly isInteger: boolean;
}

const FLOAT32_MAX = 2 ** 128 - 2 ** 104;
const float = (max: number): NumberRange => ({ min: -max, max, isInteger: false });
const signed = (bitCount: number): NumberRange => ({
  min: -(2 ** (bitCount - 1)),
  max: 2 ** (bitCount - 1) - 1,
  isInteger: true,
});
const unsigned = (bitCount: number): NumberRange => ({ min: 0, max: 2 ** bitCount - 1, isInteger: true });

const NUMBER_RANGE: Partial<Record<Datatype, NumberRange>> = {
  FP32: float(FLOAT32_MAX),
  FP64: float(Number.MAX_VALUE),
  INT8: signed(8),
  INT16: signed(16),
  INT32: signed(32),
  UINT8: unsigned(8),
  UINT16: unsigned(16),
  UINT32: unsigned(32),
};

const DIGITS = /^-?\d{1,20}$/;

/**
 * Reads the contents of a tensor of `shape`: new values. `field` names them in messages ("inputs[0].data").
 * @throws INPUT_INVALID
 */
export function valuesFromJson(
  content: readonly unknown[],
  datatype: Datatype,
  shape: readonly number[],
  field: string,
): TensorValues {
  const elementCount = elementCountOf(shape);
  const values = zerosOf(datatype, elementCount);
  const reader = rowReader(datatype, values, field);
  const readRow = (row: readonly unknown[], at: number): void => {
    const bad = reader(row, at);
    if (bad === -1) return;
    throw invalid(`${field}: element ${at + bad} is ${excerpt(row[bad])}, which is no ${datatype}`);
  };
  if (shape.length > 1 && Array.isArray(content[0])) readNested(content, shape, 0, 0, readRow, field);
  else if (content.length === elementCount) readRow(content, 0);
  else {
    throw invalid(
      `${field} has ${content.length} elements, but shape [${shape.join(', ')}] holds ${elementCount}`,
    );
  }
  return values;
}

/**
 * The contents as one flat array.
 * @throws PREDICTOR_FAILED for NaN or infinity, which JSON cannot express.
 */
export function valuesToJson(tensor: NamedTensor): (number | boolean | string)[] {
  const { name, datatype, values } = tensor;
  assert(datatype !== 'FP16', 'binary16 never travels as JSON');
  const index = findNonFinite(tensor);
  if (index !== -1) {
    throw new FreshetError(
      'PREDICTOR_FAILED',
      `the model answers these inputs with ${values[index]} in output "${name}", which JSON cannot express`,
    );
  }
  const flat: (number | boolean | string)[] = [];
  for (const value of values) {
    if (datatype === 'BOOL') flat.push(value !== 0);
    else if (typeof value === 'number') flat.push(value);
    else flat.push(Number.isSafeInteger(Number(value)) ? Number(value) : String(value));
  }
  return flat;
}

function readNested(
  content: readonly unknown[],
  shape: readonly number[],
  depth: number,
  at: number,
  readRow: (row: readonly unknown[], at: number) => void,
  field: string,
): void {
  const length = shape[depth]!;
  if (content.length !== length) {
    throw invalid(
      `${field}: an array at depth ${depth} has ${content.length} elements, but dimension ${depth} of shape ` +
        `[${shape.join(', ')}] is ${length}`,
    );
  }
  if (depth === shape.length - 1) {
    readRow(content, at);
    return;
  }
  const stride = elementCountOf(shape.slice(depth + 1));
  for (const [i, inner] of content.entries()) {
    if (!Array.isArray(inner)) {
      throw invalid(`${field}: ${excerpt(inner)} stands where an array of depth ${depth + 1} belongs`);
    }
    readNested(inner, shape, depth + 1, at + i * stride, readRow, field);
  }
}

function rowReader(datatype: Datatype, values: TensorValues, field: string): RowReader {
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) return bigintReader(values);
  if (datatype === 'BOOL') return booleanReader(values);
  const range = NUMBER_RANGE[datatype];
  if (range === undefined) {
    throw invalid(`${field}: ${datatype} cannot be sent as JSON, only as binary tensor data`);
  }
  return numberReader(values, range);
}

function numberReader(
  values: Exclude<TensorValues, BigInt64Array | BigUint64Array>,
  { min, max, isInteger }: NumberRange,
): RowReader {
  return (row, at) => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      // Written so that NaN fails; JSON's 1e999 is Infinity and fails too.
      if (typeof value !== 'number' || !(value >= min && value <= max)) return i;
      if (isInteger && !Number.isInteger(value)) return i;
      values[at + i] = value;
    }
    return -1;
  };
}

function booleanReader(values: TensorValues): RowReader {
  return (row, at) => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      if (typeof value !== 'boolean') return i;
      values[at + i] = value ? 1 : 0;
    }
    return -1;
  };
}

function bigintReader(values: BigInt64Array | BigUint64Array): RowReader {
  return (row, at) => {
    for (let i = 0; i < row.length; i++) {
      const exact = exactInteger(row[i]);
      if (exact === null) return i;
      values[at + i] = exact;
      // Storing wraps what is out of range.
      if (values[at + i] !== exact) return i;
    }
    return -1;
  };
}

function exactInteger(value: unknown): bigint | null {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && DIGITS.test(value)) return BigInt(value);
  return null;
}

function excerpt(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function invalid(message: string): FreshetError {
  return new FreshetError('INPUT_INVALID', message);
}
