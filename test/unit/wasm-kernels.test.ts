/**
 * The gradient kernels that Freshet gives to tfjs's wasm backend. Each is held against three things that know nothing
 * of each other: values worked out by hand, central finite differences of the forward pass, and (where it is right)
 * tfjs's `cpu` backend. What is differentiated is L = Σ R ⊙ op(inputs) for a random R, so dL/d(output) = R.
 */
import { strict as assert } from 'node:assert';
import { after, before, describe, it } from 'node:test';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import * as tf from '@tensorflow/tfjs-core';
import { centralDifferences, dot, elementsOf, relativeError, seededFloats } from '../support/numerics.ts';

type Shape4 = [number, number, number, number];
type Pad = 'same' | 'valid' | number | tf.backend_util.ExplicitPadding;
type Op = (x: tf.Tensor4D, filter: tf.Tensor4D) => tf.Tensor4D;

/** float32 sums of a few thousand terms; a wrong kernel is off by more than 0.1. */
const TOLERANCE = 2e-5;
const SEED = 20_261_123;

before(async () => {
  await selectBackend('cpu');
  await selectBackend('wasm');
});

/** Runs `compute` with `backend` in use and gives back plain values; leaves wasm in use and nothing allocated. */
function on(backend: 'wasm' | 'cpu', compute: () => tf.Tensor[]): Float32Array[] {
  tf.setBackend(backend);
  const before = { tensors: tf.memory().numTensors, buffers: tf.backend().numDataIds() };
  const outputs = tf.tidy(compute);
  const values = outputs.map((output) => Float32Array.from(output.dataSync()));
  tf.dispose(outputs);
  assert.equal(tf.memory().numTensors, before.tensors, `tensors leaked on ${backend}`);
  assert.equal(tf.backend().numDataIds(), before.buffers, `buffers leaked on ${backend}`);
  tf.setBackend('wasm');
  return values;
}

function forward(
  backend: 'wasm' | 'cpu',
  op: Op,
  x: Float32Array,
  xShape: Shape4,
  w: Float32Array,
  wShape: Shape4,
) {
  return on(backend, () => [op(tf.tensor4d(x, xShape), tf.tensor4d(w, wShape))])[0]!;
}

function gradients(
  backend: 'wasm' | 'cpu',
  op: Op,
  { x, xShape, w, wShape, r }: Problem,
): { dx: Float32Array; dw: Float32Array } {
  const [dx, dw] = on(backend, () => {
    const loss = (xs: tf.Tensor, ws: tf.Tensor) => {
      const y = op(xs as tf.Tensor4D, ws as tf.Tensor4D);
      return tf.sum(tf.mul(y, tf.tensor(r, y.shape)));
    };
    return tf.grads(loss)([tf.tensor4d(x, xShape), tf.tensor4d(w, wShape)]);
  });
  return { dx: dx!, dw: dw! };
}

interface Problem {
  readonly x: Float32Array;
  readonly xShape: Shape4;
  readonly w: Float32Array;
  readonly wShape: Shape4;
  readonly r: Float32Array;
}

function randomProblem(op: Op, xShape: Shape4, wShape: Shape4): Problem {
  const x = seededFloats(elementsOf(xShape), SEED);
  const w = seededFloats(elementsOf(wShape), SEED + 1);
  const outputs = forward('cpu', op, x, xShape, w, wShape).length;
  return { x, xShape, w, wShape, r: seededFloats(outputs, SEED + 2) };
}

/** Checks forward pass and both gradients of a convolution, which is linear in its input and in its filter. */
function checkConvolution(op: Op, xShape: Shape4, wShape: Shape4): void {
  const problem = randomProblem(op, xShape, wShape);
  const { x, w, r } = problem;
  const onWasm = gradients('wasm', op, problem);
  const onCpu = gradients('cpu', op, problem);
  const y = forward('wasm', op, x, xShape, w, wShape);
  assert.ok(relativeError(y, forward('cpu', op, x, xShape, w, wShape)) < TOLERANCE, 'forward pass');
  assert.ok(relativeError(onWasm.dw, onCpu.dw) < TOLERANCE, 'filter gradient against cpu');
  assert.ok(relativeError(onWasm.dx, onCpu.dx) < TOLERANCE, 'input gradient against cpu');
  // h of 1/2: the differences are exact for a linear function, and a large step keeps their rounding small.
  const byW = centralDifferences((moved) => dot(r, forward('wasm', op, x, xShape, moved, wShape)), w, 0.5);
  assert.ok(relativeError(onWasm.dw, byW) < TOLERANCE, 'filter gradient against finite differences');
  // One sample's worth of inputs is enough: the others are the same loop.
  const some = Math.min(x.length, 60);
  const byX = centralDifferences(
    (moved) => {
      const all = x.slice();
      all.set(moved);
      return dot(r, forward('wasm', op, all, xShape, w, wShape));
    },
    x.slice(0, some),
    0.5,
  );
  assert.ok(relativeError(onWasm.dx.slice(0, some), byX) < TOLERANCE, 'input gradient against differences');
}

interface ConvolutionRow {
  readonly name: string;
  readonly x: Shape4;
  /** [height, width, in, out] of the filter; for depthwise [height, width, channels, multiplier]. */
  readonly w: Shape4;
  readonly strides: [number, number];
  readonly pad: Pad;
}

const CONVOLUTIONS: readonly ConvolutionRow[] = [
  { name: 'LeNet-5 conv1', x: [2, 28, 28, 1], w: [5, 5, 1, 6], strides: [1, 1], pad: 'same' },
  { name: 'LeNet-5 conv2', x: [2, 14, 14, 6], w: [5, 5, 6, 4], strides: [1, 1], pad: 'valid' },
  { name: 'one sample, one channel', x: [1, 4, 4, 1], w: [2, 2, 1, 1], strides: [1, 1], pad: 'valid' },
  { name: 'oblong image and filter', x: [3, 7, 5, 2], w: [2, 3, 2, 3], strides: [1, 1], pad: 'same' },
  { name: 'even filter, same padding', x: [2, 6, 6, 3], w: [4, 2, 3, 2], strides: [1, 1], pad: 'same' },
  { name: 'filter as large as the image', x: [2, 5, 4, 2], w: [5, 4, 2, 3], strides: [1, 1], pad: 'valid' },
  { name: '1×1 filter', x: [2, 4, 5, 3], w: [1, 1, 3, 4], strides: [1, 1], pad: 'valid' },
  { name: 'many channels', x: [2, 5, 5, 17], w: [3, 3, 17, 9], strides: [1, 1], pad: 'same' },
  { name: 'stride 2, same, even image', x: [2, 8, 8, 2], w: [3, 3, 2, 3], strides: [2, 2], pad: 'same' },
  { name: 'stride 2, same, odd image', x: [2, 7, 9, 2], w: [3, 3, 2, 3], strides: [2, 2], pad: 'same' },
  {
    name: 'stride 2, valid, last row unused',
    x: [2, 8, 8, 2],
    w: [3, 3, 2, 3],
    strides: [2, 2],
    pad: 'valid',
  },
  { name: 'stride 2, valid, all rows used', x: [2, 7, 7, 2], w: [3, 3, 2, 3], strides: [2, 2], pad: 'valid' },
  { name: 'stride larger than the filter', x: [2, 9, 9, 2], w: [2, 2, 2, 3], strides: [3, 3], pad: 'valid' },
  { name: '1×1 filter, stride 2', x: [2, 6, 6, 3], w: [1, 1, 3, 4], strides: [2, 2], pad: 'same' },
  { name: 'different strides', x: [2, 9, 8, 2], w: [3, 2, 2, 3], strides: [1, 2], pad: 'same' },
  { name: 'padding by number', x: [2, 6, 6, 2], w: [3, 3, 2, 3], strides: [1, 1], pad: 1 },
  { name: 'padding by number, stride 2', x: [2, 7, 7, 2], w: [3, 3, 2, 3], strides: [2, 2], pad: 2 },
];

/** Explicit padding exists in the ops and in `conv2d`'s gradient, not in tfjs's depthwise gradient. */
const EXPLICIT: readonly ConvolutionRow[] = [
  {
    name: 'explicit, uneven',
    x: [2, 6, 5, 2],
    w: [3, 3, 2, 3],
    strides: [1, 1],
    pad: [
      [0, 0],
      [1, 2],
      [0, 1],
      [0, 0],
    ],
  },
  {
    name: 'explicit, uneven, stride 2',
    x: [2, 7, 6, 2],
    w: [3, 3, 2, 3],
    strides: [2, 2],
    pad: [
      [0, 0],
      [2, 0],
      [1, 2],
      [0, 0],
    ],
  },
  {
    name: 'explicit, wider than the filter',
    x: [2, 4, 4, 2],
    w: [2, 2, 2, 3],
    strides: [1, 1],
    pad: [
      [0, 0],
      [3, 2],
      [2, 3],
      [0, 0],
    ],
  },
];

describe('conv2d gradients on wasm', () => {
  for (const { name, x, w, strides, pad } of [...CONVOLUTIONS, ...EXPLICIT]) {
    it(name, () => checkConvolution((xs, ws) => tf.conv2d(xs, ws, strides, pad), x, w));
  }

  it('stride 1: values by hand', () => {
    // X = 1 2 3    dY = 1 2   valid, filter 2×2
    //     4 5 6         3 4
    //     7 8 9
    // dW[i,j] = 1·X[i,j] + 2·X[i,j+1] + 3·X[i+1,j] + 4·X[i+1,j+1]
    //   dW[0,0] = 1 + 4 + 12 + 20 = 37     dW[0,1] = 2 + 6 + 15 + 24 = 47
    //   dW[1,0] = 4 + 10 + 21 + 32 = 67    dW[1,1] = 5 + 12 + 24 + 36 = 77
    // W = 1 10 / 100 1000: dX[y,x] = Σ dY[y−i,x−j]·W[i,j]
    //   row 0:   1            2 + 10           20
    //   row 1:   3 + 100      4 + 30 + 200 + 1000      40 + 2000
    //   row 2:   300          400 + 3000       4000
    const problem: Problem = {
      x: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
      xShape: [1, 3, 3, 1],
      w: Float32Array.of(1, 10, 100, 1000),
      wShape: [2, 2, 1, 1],
      r: Float32Array.of(1, 2, 3, 4),
    };
    const { dx, dw } = gradients('wasm', (x, w) => tf.conv2d(x, w, 1, 'valid'), problem);
    assert.deepEqual([...dw], [37, 47, 67, 77]);
    assert.deepEqual([...dx], [1, 12, 20, 103, 1234, 2040, 300, 3400, 4000]);
  });

  it('stride 2, same padding: values by hand', () => {
    // X is 3×3 as above, filter 2×2, stride 2, 'same': output 2×2, and the one row and column of padding come after.
    // dW[i,j] = Σ dY[y,x]·X[2y+i, 2x+j], outside of X is 0, dY = 1 2 / 3 4
    //   dW[0,0] = 1·1 + 2·3 + 3·7 + 4·9 = 64     dW[0,1] = 1·2 + 3·8 = 26
    //   dW[1,0] = 1·4 + 2·6 = 16                 dW[1,1] = 1·5 = 5
    // W = 1 10 / 100 1000: each input belongs to one window
    //   row 0:   1·1      1·10      2·1
    //   row 1:   1·100    1·1000    2·100
    //   row 2:   3·1      3·10      4·1
    const problem: Problem = {
      x: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
      xShape: [1, 3, 3, 1],
      w: Float32Array.of(1, 10, 100, 1000),
      wShape: [2, 2, 1, 1],
      r: Float32Array.of(1, 2, 3, 4),
    };
    const { dx, dw } = gradients('wasm', (x, w) => tf.conv2d(x, w, 2, 'same'), problem);
    assert.deepEqual([...dw], [64, 26, 16, 5]);
    assert.deepEqual([...dx], [1, 10, 2, 100, 1000, 200, 3, 30, 4]);
  });

  it('channels and samples: values by hand', () => {
    // Two samples of one pixel, filter 1×1, 2 channels in, 2 out: dW[c,o] = Σ_n X[n,c]·dY[n,o]; dX[n,c] = Σ_o dY·W
    // X = (1,2), (3,4); dY = (5,6), (7,8); W = 1 2 / 3 4
    //   dW = 1·5+3·7  1·6+3·8 = 26 30      dX = 5·1+6·2  5·3+6·4 = 17 39
    //        2·5+4·7  2·6+4·8   38 44           7·1+8·2  7·3+8·4   23 53
    const problem: Problem = {
      x: Float32Array.of(1, 2, 3, 4),
      xShape: [2, 1, 1, 2],
      w: Float32Array.of(1, 2, 3, 4),
      wShape: [1, 1, 2, 2],
      r: Float32Array.of(5, 6, 7, 8),
    };
    const { dx, dw } = gradients('wasm', (x, w) => tf.conv2d(x, w, 1, 'valid'), problem);
    assert.deepEqual([...dw], [26, 30, 38, 44]);
    assert.deepEqual([...dx], [17, 39, 23, 53]);
  });

  it('transposed convolution, whose forward pass is a gradient kernel', () => {
    // Its filter is [height, width, out, in].
    checkConvolution(
      (x, w) => tf.conv2dTranspose(x, w, [2, 9, 9, 2], 2, 'valid'),
      [2, 4, 4, 3],
      [3, 3, 2, 3],
    );
  });
});

describe('depthwise conv2d gradients on wasm', () => {
  for (const { name, x, w, strides, pad } of CONVOLUTIONS) {
    // The filter's last axis is the multiplier here: outputs per channel.
    const wShape: Shape4 = [w[0], w[1], x[3], Math.min(w[3], 3)];
    // tfjs refuses unequal strides for depthwise convolutions.
    if (strides[0] !== strides[1]) continue;
    it(name, () => checkConvolution((xs, ws) => tf.depthwiseConv2d(xs, ws, strides, pad), x, wShape));
  }

  it('values by hand', () => {
    // One pixel, 2 channels, multiplier 2: dW[c,m] = X[c]·dY[c·2+m]; dX[c] = Σ_m dY[c·2+m]·W[c,m]
    // X = (2,3), W = 1 10 / 100 1000, dY = (1,2,3,4)
    const problem: Problem = {
      x: Float32Array.of(2, 3),
      xShape: [1, 1, 1, 2],
      w: Float32Array.of(1, 10, 100, 1000),
      wShape: [1, 1, 2, 2],
      r: Float32Array.of(1, 2, 3, 4),
    };
    const { dx, dw } = gradients('wasm', (x, w) => tf.depthwiseConv2d(x, w, 1, 'valid'), problem);
    assert.deepEqual([...dw], [2 * 1, 2 * 2, 3 * 3, 3 * 4]);
    assert.deepEqual([...dx], [1 * 1 + 2 * 10, 3 * 100 + 4 * 1000]);
  });
});

interface PoolRow {
  readonly name: string;
  readonly x: Shape4;
  readonly size: [number, number];
  readonly strides: [number, number];
  readonly pad: Pad;
}

const POOLS: readonly PoolRow[] = [
  { name: 'LeNet-5 pool', x: [2, 8, 8, 6], size: [2, 2], strides: [2, 2], pad: 'valid' },
  { name: 'last row and column unused', x: [2, 7, 5, 3], size: [2, 2], strides: [2, 2], pad: 'valid' },
  { name: 'same padding', x: [2, 7, 5, 3], size: [2, 2], strides: [2, 2], pad: 'same' },
  { name: 'overlapping windows', x: [2, 7, 7, 2], size: [3, 3], strides: [2, 2], pad: 'valid' },
  { name: 'overlapping, same padding', x: [2, 6, 6, 2], size: [3, 3], strides: [2, 2], pad: 'same' },
  { name: 'stride 1, same padding', x: [1, 5, 4, 2], size: [3, 2], strides: [1, 1], pad: 'same' },
  { name: 'stride larger than the window', x: [2, 8, 8, 2], size: [2, 2], strides: [3, 3], pad: 'valid' },
  { name: 'padding by number', x: [2, 6, 6, 2], size: [3, 3], strides: [2, 2], pad: 1 },
  { name: 'global', x: [3, 4, 5, 7], size: [4, 5], strides: [1, 1], pad: 'valid' },
];

function poolGradient(
  backend: 'wasm' | 'cpu',
  pool: (x: tf.Tensor4D) => tf.Tensor4D,
  x: Float32Array,
  xShape: Shape4,
  r: Float32Array,
): Float32Array {
  return on(backend, () => {
    const loss = (xs: tf.Tensor) => {
      const y = pool(xs as tf.Tensor4D);
      return tf.sum(tf.mul(y, tf.tensor(r, y.shape)));
    };
    return [tf.grad(loss)(tf.tensor4d(x, xShape))];
  })[0]!;
}

describe('pooling gradients on wasm', () => {
  for (const { name, x: xShape, size, strides, pad } of POOLS) {
    const run = (pool: (x: tf.Tensor4D) => tf.Tensor4D, x: Float32Array) =>
      on('wasm', () => [pool(tf.tensor4d(x, xShape))])[0]!;

    it(`max: ${name}`, () => {
      const pool = (x: tf.Tensor4D) => tf.maxPool(x, size, strides, pad);
      // Values a whole apart: no window changes its largest within h of the point, so the pool is linear there.
      const order = seededFloats(elementsOf(xShape), SEED);
      const ranks = [...order.keys()].sort((a, b) => order[a]! - order[b]!);
      const x = new Float32Array(order.length);
      for (const [rank, index] of ranks.entries()) x[index] = rank;
      const r = seededFloats(run(pool, x).length, SEED + 2);
      const gradient = poolGradient('wasm', pool, x, xShape, r);
      assert.ok(relativeError(gradient, poolGradient('cpu', pool, x, xShape, r)) < TOLERANCE, 'against cpu');
      const expected = centralDifferences((moved) => dot(r, run(pool, moved)), x, 0.25);
      assert.ok(relativeError(gradient, expected) < TOLERANCE, 'against finite differences');
    });

    // Not against `cpu`: its gradient counts the padding, the forward pass does not.
    it(`average: ${name}`, () => {
      const pool = (x: tf.Tensor4D) => tf.avgPool(x, size, strides, pad);
      const x = seededFloats(elementsOf(xShape), SEED);
      const r = seededFloats(run(pool, x).length, SEED + 2);
      const expected = centralDifferences((moved) => dot(r, run(pool, moved)), x, 0.5);
      const gradient = poolGradient('wasm', pool, x, xShape, r);
      assert.ok(relativeError(gradient, expected) < TOLERANCE, 'against finite differences');
    });
  }

  it('max: of equal inputs the first in row order takes all', () => {
    // One 2×2 window of 5 7 / 7 5 with dY = 3: the first 7 is at row 0, column 1.
    const gradient = poolGradient(
      'wasm',
      (x) => tf.maxPool(x, 2, 2, 'valid'),
      Float32Array.of(5, 7, 7, 5),
      [1, 2, 2, 1],
      Float32Array.of(3),
    );
    assert.deepEqual([...gradient], [0, 3, 0, 0]);
  });

  it('average: values by hand, with padding', () => {
    // A row of 3, window 1×2, stride 2, 'same': windows {0,1} and {2, padding}; dY = 10, 4 → 5 5 4
    const gradient = poolGradient(
      'wasm',
      (x) => tf.avgPool(x, [1, 2], [1, 2], 'same'),
      Float32Array.of(1, 2, 3),
      [1, 1, 3, 1],
      Float32Array.of(10, 4),
    );
    assert.deepEqual([...gradient], [5, 5, 4]);
  });
});

describe('matrix product with transposed operands on wasm', () => {
  const rows = [
    { a: [3, 4], b: [4, 5] },
    { a: [2, 3, 4], b: [2, 4, 5] },
    { a: [2, 3, 4], b: [1, 4, 5] },
    { a: [1, 3, 4], b: [2, 4, 5] },
    { a: [128, 40], b: [40, 12] },
    // Where the right one is the larger, the product is taken the other way round.
    { a: [2, 40], b: [40, 70] },
    { a: [1, 33], b: [33, 65] },
    { a: [1, 3, 34], b: [1, 34, 67] },
    { a: [1, 70], b: [70, 1] },
  ];
  for (const { a, b } of rows) {
    for (const [transposeA, transposeB] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ]) {
      it(`${a.join('×')} · ${b.join('×')}, transposed: ${transposeA}, ${transposeB}`, () => {
        const swap = (shape: readonly number[]) => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];
        const aShape = transposeA ? swap(a) : a;
        const bShape = transposeB ? swap(b) : b;
        const left = seededFloats(elementsOf(a), SEED);
        const right = seededFloats(elementsOf(b), SEED + 1);
        const product = () => [
          tf.matMul(tf.tensor(left, aShape), tf.tensor(right, bShape), transposeA, transposeB),
        ];
        assert.ok(relativeError(on('wasm', product)[0]!, on('cpu', product)[0]!) < TOLERANCE);
      });
    }
  }

  it('values by hand', () => {
    // A = 1 2 / 3 4 / 5 6, B = 1 / 10 / 100: Aᵀ·B = 1+30+500 / 2+40+600
    const product = () => [
      tf.matMul(tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]), tf.tensor2d([1, 10, 100], [3, 1]), true, false),
    ];
    assert.deepEqual([...on('wasm', product)[0]!], [531, 642]);
  });
});

describe('repetition on wasm', () => {
  for (const { shape, reps } of [
    { shape: [1, 1, 1, 5], reps: [3, 4, 2, 1] },
    { shape: [1, 7], reps: [13, 1] },
    { shape: [3], reps: [1] },
    { shape: [3], reps: [4] },
    { shape: [2, 3], reps: [2, 1] },
    { shape: [1, 3], reps: [2, 2] },
    { shape: [1, 1], reps: [5, 1] },
  ]) {
    it(`${shape.join('×')}, ${reps.join('×')} times`, () => {
      const repeated = () => [tf.tile(tf.tensor(seededFloats(elementsOf(shape), SEED), shape), reps)];
      assert.deepEqual([...on('wasm', repeated)[0]!], [...on('cpu', repeated)[0]!]);
    });
  }

  it('of whole numbers', () => {
    const repeated = () => [tf.tile(tf.tensor2d([1, 2, 3], [1, 3], 'int32'), [2, 1])];
    assert.deepEqual([...on('wasm', repeated)[0]!], [1, 2, 3, 1, 2, 3]);
  });
});

after(() => {
  assert.equal(tf.memory().numTensors, 0);
});
