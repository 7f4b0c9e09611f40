/** Taking ONNX files apart, joining and patching them, over random initializers written by independent code. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { applyDelta } from '@freshet/protocol/delta';
import {
  cutWeights,
  extractWeights,
  joinWeights,
  patchWeights,
  readOnnxLayout,
} from '@freshet/protocol/onnx-layout';
import fc from 'fast-check';
import { buildOnnx, type OnnxInitializer } from '../support/onnx-builder.ts';
import '../support/seed.ts';
import { assertSameBits, deltaFor, floatBits, weightsOfBits } from '../support/weights.ts';

interface FloatInitializer extends OnnxInitializer {
  readonly values: Float32Array;
}

/** Any text, a leading byte order mark too. */
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 });

const shape = fc.array(fc.nat({ max: 4 }), { maxLength: 4 });

const floats: fc.Arbitrary<FloatInitializer> = fc.tuple(name, shape).chain(([name, dimensions]) => {
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

interface Sample {
  readonly file: Uint8Array;
  readonly tensors: readonly FloatInitializer[];
  readonly elementCount: number;
}

const sample: fc.Arbitrary<Sample> = fc
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

describe('ONNX layout', () => {
  it('names the float initializers in file order, and where they are', () => {
    fc.assert(
      fc.property(sample, ({ file, tensors }) => {
        let elementOffset = 0;
        const layout = readOnnxLayout(file);
        assert.equal(layout.length, tensors.length);
        for (const [i, { name, shape, values }] of tensors.entries()) {
          const { fileOffset, ...rest } = layout[i]!;
          assert.deepEqual(rest, { name, shape, elementOffset, elementCount: values.length });
          const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
          assert(bytes.equals(file.subarray(fileOffset, fileOffset + bytes.length)));
          elementOffset += values.length;
        }
      }),
    );
  });

  it('extract gives the weights, and join ∘ cut = identity', () => {
    fc.assert(
      fc.property(sample, ({ file, tensors }) => {
        const layout = readOnnxLayout(file);
        const weights = extractWeights(file, layout);
        for (const [i, { values }] of tensors.entries()) {
          const { elementOffset, elementCount } = layout[i]!;
          assertSameBits(weights.subarray(elementOffset, elementOffset + elementCount), values);
        }
        const graph = cutWeights(file, layout);
        assert.equal(graph.length, file.length - weights.byteLength);
        assert(Buffer.from(joinWeights(graph, layout, weights)).equals(file));
      }),
    );
  });

  it('join puts any weights into the graph', () => {
    const sampleAndWeights = sample.chain((built) => {
      const bits = fc.array(floatBits, { minLength: built.elementCount, maxLength: built.elementCount });
      return fc.tuple(fc.constant(built), bits.map(weightsOfBits));
    });
    fc.assert(
      fc.property(sampleAndWeights, ([{ file }, weights]) => {
        const layout = readOnnxLayout(file);
        const joined = joinWeights(cutWeights(file, layout), layout, weights);
        assert.deepEqual(readOnnxLayout(joined), layout);
        assertSameBits(extractWeights(joined, layout), weights);
      }),
    );
  });

  it('patch sets the named weights and touches no other byte', () => {
    const sampleAndDelta = sample.chain((built) =>
      fc.tuple(fc.constant(built), deltaFor(built.elementCount)),
    );
    fc.assert(
      fc.property(sampleAndDelta, ([{ file }, delta]) => {
        const layout = readOnnxLayout(file);
        const patched = file.slice();
        patchWeights(patched, layout, delta.indices, delta.valueBits);
        const weights = extractWeights(file, layout);
        applyDelta(weights, delta);
        assertSameBits(extractWeights(patched, layout), weights);
        assert.deepEqual(cutWeights(patched, layout), cutWeights(file, layout));
      }),
    );
  });
});
