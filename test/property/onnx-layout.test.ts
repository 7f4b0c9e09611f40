/** Taking ONNX files apart, joining and patching them, over random initializers written by independent code. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { applyDelta } from '@freshet/protocol/delta';
import {
  cutWeights,
  extractWeights,
  joinWeights,
  patchWeights,
  readCutLayout,
  readOnnxLayout,
} from '@freshet/protocol/onnx-layout';
import fc from 'fast-check';
import { buildCutOnnx } from '../support/onnx-builder.ts';
import { hugeInitializers, onnxSample } from '../support/onnx-samples.ts';
import '../support/seed.ts';
import { assertSameBits, deltaFor, floatBits, weightsOfBits } from '../support/weights.ts';

describe('ONNX layout', () => {
  it('names the float initializers in file order, and where they are', () => {
    fc.assert(
      fc.property(onnxSample, ({ file, tensors }) => {
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
      fc.property(onnxSample, ({ file, tensors }) => {
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

  it('a graph and its layout give the layout of the file', () => {
    fc.assert(
      fc.property(onnxSample, ({ file }) => {
        const layout = readOnnxLayout(file);
        assert.deepEqual(readCutLayout(cutWeights(file, layout), layout), layout);
      }),
    );
  });

  it('a graph gives the layout of weights that nobody has made', () => {
    fc.assert(
      fc.property(hugeInitializers, (initializers) => {
        const { graph, fileOffsets } = buildCutOnnx(initializers);
        let elementOffset = 0;
        const layout = initializers.map(({ name, shape }, i) => {
          const elementCount = shape.reduce((product, dimension) => product * dimension, 1);
          const tensor = {
            name,
            shape: [...shape],
            elementOffset,
            elementCount,
            fileOffset: fileOffsets[i]!,
          };
          elementOffset += elementCount;
          return tensor;
        });
        assert.deepEqual(readCutLayout(graph, layout), layout);
      }),
    );
  });

  it('join puts any weights into the graph', () => {
    const sampleAndWeights = onnxSample.chain((built) => {
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
    const sampleAndDelta = onnxSample.chain((built) =>
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
