/** Arbitraries for ONNX files, written by independent code. */
import { ELEMENT_COUNT_MAX } from '@freshet/protocol/limits';
import fc from 'fast-check';
import { buildOnnx, type CutInitializer, type OnnxInitializer } from './onnx-builder.ts';
import { floatBits, weightsOfBits } from './weights.ts';

export interface FloatInitializer extends OnnxInitializer {
  readonly values: Float32Array;
}

/** Any text, a leading byte order mark too. */
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 });

const smallShape = fc.array(fc.nat({ max: 4 }), { maxLength: 4 });

const floats: fc.Arbitrary<FloatInitializer> = fc.tuple(name, smallShape).chain(([name, dimensions]) => {
  const elementCount = dimensions.reduce((product, dimension) => product * dimension, 1);
  return fc
    .array(floatBits, { minLength: elementCount, maxLength: elementCount })
    .map((bits) => ({ name, shape: dimensions, values: weightsOfBits(bits) }));
});

/** A constant among the weights, as Reshape has it. */
const integers: fc.Arbitrary<OnnxInitializer> = fc.record({
  name,
  shape: fc.constant([2]),
  values: fc.constant(BigInt64Array.of(-1n, 10n)),
});

/** `tensors` are the float initializers of `file`, in file order. */
export interface OnnxSample {
  readonly file: Uint8Array;
  readonly tensors: readonly FloatInitializer[];
  readonly elementCount: number;
}

/** ONNX files of a few small tensors, constants among them. */
export const onnxSample: fc.Arbitrary<OnnxSample> = fc
  .tuple(
    fc.uniqueArray(fc.oneof({ weight: 4, arbitrary: floats }, { weight: 1, arbitrary: integers }), {
      selector: ({ name }) => name,
      maxLength: 6,
    }),
    fc.nat({ max: 7 }),
  )
  .map(([initializers, offset]) => {
    const built = buildOnnx({ nodes: [], initializers, inputs: [], outputs: [] });
    // Anywhere in a larger buffer, as bytes from a socket or a database are.
    const file = new Uint8Array(built.length + offset + 3).subarray(offset, offset + built.length);
    file.set(built);
    const tensors = initializers.filter(isFloat);
    return { file, tensors, elementCount: tensors.reduce((sum, { values }) => sum + values.length, 0) };
  });

function isFloat(initializer: OnnxInitializer): initializer is FloatInitializer {
  return initializer.values instanceof Float32Array;
}

const HUGE_COUNT_MAX = 4;

const hugeShape = fc
  .array(fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: ELEMENT_COUNT_MAX / HUGE_COUNT_MAX })), { maxLength: 4 })
  .filter(
    (shape) => shape.reduce((product, dimension) => product * dimension, HUGE_COUNT_MAX) <= ELEMENT_COUNT_MAX,
  );

/** Tensors for `buildCutOnnx`, together of at most as many weights as a model may have. */
export const hugeInitializers: fc.Arbitrary<CutInitializer[]> = fc.uniqueArray(
  fc.record({ name, shape: hugeShape }),
  { selector: ({ name }) => name, maxLength: HUGE_COUNT_MAX },
);
