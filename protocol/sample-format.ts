/**
 * What one labelled sample of a model looks like, as a plain value that can be sent and stored, and the check that
 * every sample from outside goes through before anything is done with it.
 */

/** What an input element is stored as. The recipe's preprocessing makes the model's floats of it. */
export type InputType = 'uint8' | 'float32';

/** What a sample teaches: one of a number of classes, or a vector of numbers. */
export type TargetFormat =
  | { readonly kind: 'class'; readonly classCount: number }
  | { readonly kind: 'vector'; readonly elementCount: number };

export interface SampleFormat {
  /** Shape of one input without the batch axis, channels last; positive integers. */
  readonly inputShape: readonly number[];
  readonly inputType: InputType;
  readonly target: TargetFormat;
}

export interface Sample {
  /** Elements in row-major order, of the type that the format names. */
  readonly input: Uint8Array | Float32Array;
  /** A class, or the vector where the format says vector. */
  readonly target: number | Float32Array;
}

/** One that `checkSample` has found nothing wrong with. */
export interface IncomingSample extends Sample {
  /** What its sender calls it, so that it is taken once however often it is sent; null: taken each time. */
  readonly id: string | null;
}

/** A sample as somebody sent it: nothing about it is known yet, and nothing but these fields is looked at. */
export interface RawSample {
  /** The elements in row-major order: an array of numbers or a typed array. */
  readonly input?: unknown;
  /** The class, where the target is one. */
  readonly label?: unknown;
  /** The vector, where the target is one. */
  readonly target?: unknown;
}

export interface SampleProblem {
  readonly field: 'input' | 'label' | 'target';
  /** What is wrong with the field and what belongs there; follows the field's name in a sentence. */
  readonly reason: string;
}

/** Elements of one input. */
export function inputElementCount(format: SampleFormat): number {
  return format.inputShape.reduce((product, dimension) => product * dimension, 1);
}

/**
 * The first thing that is wrong with `raw`, or null where it is a sample of `format`: every element present, a number,
 * finite as a float32 (a byte for uint8), and a target of the right kind, size and range. Cost: one pass.
 */
export function checkSample(format: SampleFormat, raw: RawSample): SampleProblem | null {
  return checkInput(format, raw.input) ?? checkTarget(format.target, raw);
}

function checkInput(format: SampleFormat, input: unknown): SampleProblem | null {
  const count = inputElementCount(format);
  const shape = `[${format.inputShape.join(', ')}]`;
  const expected = `${count} ${format.inputType} elements (shape ${shape}, row-major)`;
  const reason = problemOfElements(input, count, expected, format.inputType);
  return reason === null ? null : { field: 'input', reason };
}

function checkTarget(target: TargetFormat, raw: RawSample): SampleProblem | null {
  if (target.kind === 'class') {
    const range = `an integer from 0 to ${target.classCount - 1}`;
    if (raw.target !== undefined) {
      return { field: 'target', reason: `is not for this model: give "label", ${range}` };
    }
    const { label } = raw;
    if (label === undefined) return { field: 'label', reason: `is missing: give ${range}` };
    const isClass = Number.isInteger(label) && Number(label) >= 0 && Number(label) < target.classCount;
    return isClass ? null : { field: 'label', reason: `is ${shown(label)}; it has to be ${range}` };
  }
  const expected = `${target.elementCount} numbers`;
  if (raw.label !== undefined) {
    return { field: 'label', reason: `is not for this model: give "target", ${expected}` };
  }
  const reason = problemOfElements(raw.target, target.elementCount, expected, 'float32');
  return reason === null ? null : { field: 'target', reason };
}

function problemOfElements(value: unknown, count: number, expected: string, type: InputType): string | null {
  if (value === undefined) return `is missing: give ${expected}`;
  if (!isListLike(value)) return `is not a list of numbers: give ${expected}`;
  if (value.length !== count) return `has ${value.length} elements; it has to have ${expected}`;
  // What a byte array holds is a byte.
  if (type === 'uint8' && value instanceof Uint8Array) return null;
  for (let index = 0; index < count; index++) {
    const element = value[index];
    const reason = type === 'uint8' ? problemOfByte(element) : problemOfFloat(element);
    if (reason !== null) return `has ${shown(element)} at element ${index}; ${reason}`;
  }
  return null;
}

function problemOfByte(element: unknown): string | null {
  const isByte = Number.isInteger(element) && Number(element) >= 0 && Number(element) <= 255;
  return isByte ? null : 'elements are integers from 0 to 255';
}

function problemOfFloat(element: unknown): string | null {
  if (typeof element !== 'number') return 'elements are numbers';
  return Number.isFinite(Math.fround(element)) ? null : 'elements are finite as float32';
}

/** Arrays and typed arrays of numbers; not strings, BigInt arrays, DataViews or objects with a `length`. */
function isListLike(value: unknown): value is ArrayLike<unknown> {
  if (Array.isArray(value)) return true;
  if (!ArrayBuffer.isView(value) || value instanceof DataView) return false;
  return !(value instanceof BigInt64Array || value instanceof BigUint64Array);
}

/** For messages: short whatever a peer sent. */
function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (typeof value === 'bigint') return 'a bigint';
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return 'a string';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
