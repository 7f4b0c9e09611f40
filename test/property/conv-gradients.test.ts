/** Convolution gradients on wasm equal those of tfjs's `cpu` backend for any shape, stride and padding. */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { relativeError, seededFloats } from '../support/numerics.ts';
import '../support/seed.ts';

before(async () => {
  await selectBackend('cpu');
  await selectBackend('wasm');
});

const side = fc.integer({ min: 1, max: 9 });
const kernelSide = fc.integer({ min: 1, max: 5 });
const stride = fc.integer({ min: 1, max: 3 });
const channels = fc.integer({ min: 1, max: 9 });
const edge = fc.nat(4);

const problem = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    image: fc.tuple(side, side),
    kernel: fc.tuple(kernelSide, kernelSide),
    strides: fc.tuple(stride, stride),
    inChannels: channels,
    outChannels: channels,
    pad: fc.oneof(
      fc.constantFrom('same' as const, 'valid' as const),
      fc.tuple(edge, edge, edge, edge).map(
        ([top, bottom, left, right]): tf.backend_util.ExplicitPadding => [
          [0, 0],
          [top, bottom],
          [left, right],
          [0, 0],
        ],
      ),
    ),
    seed: fc.nat(1_000_000),
  })
  // A filter that does not fit has no output.
  .filter(({ image, kernel, pad }) =>
    [0, 1].every((axis) => {
      const [first, last] = typeof pad === 'string' ? [0, 0] : pad[axis + 1]!;
      return pad === 'same' || image[axis]! + first + last >= kernel[axis]!;
    }),
  );

type Problem = typeof problem extends fc.Arbitrary<infer Value> ? Value : never;

function gradientsOn(backend: 'cpu' | 'wasm', p: Problem): Float32Array[] {
  tf.setBackend(backend);
  const xShape: [number, number, number, number] = [p.batch, ...p.image, p.inChannels];
  const wShape: [number, number, number, number] = [...p.kernel, p.inChannels, p.outChannels];
  return tf.tidy(() => {
    const x = tf.tensor4d(seededFloats(tf.util.sizeFromShape(xShape), p.seed), xShape);
    const w = tf.tensor4d(seededFloats(tf.util.sizeFromShape(wShape), p.seed + 1), wShape);
    const loss = (xs: tf.Tensor, ws: tf.Tensor) => {
      const y = tf.conv2d(xs as tf.Tensor4D, ws as tf.Tensor4D, p.strides, p.pad);
      return tf.sum(tf.mul(y, tf.tensor(seededFloats(y.size, p.seed + 2), y.shape)));
    };
    return tf
      .grads(loss)([x, w])
      .map((gradient) => Float32Array.from(gradient.dataSync()));
  });
}

describe('convolution gradients on wasm', () => {
  it('equal those on cpu', () => {
    fc.assert(
      fc.property(problem, (p) => {
        const onCpu = gradientsOn('cpu', p);
        const onWasm = gradientsOn('wasm', p);
        for (const [index, name] of ['input', 'filter'].entries()) {
          const error = relativeError(onWasm[index]!, onCpu[index]!);
          assert.ok(error < 2e-5, `${name} gradient: ${error}`);
        }
      }),
      { numRuns: 150 },
    );
    assert.equal(tf.memory().numTensors, 0);
  });
});
