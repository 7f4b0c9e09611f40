/** Small ONNX models for tests of serving, the same in every run. */
import { buildOnnx } from './onnx-builder.ts';

/**
 * y = [x0·a + x1·b + c], with weights [a, b] in one tensor and c in another, at indices 0, 1 and 2. A patch that sets
 * all three to the same v turns x = (1, 1000) into exactly 1002·v, and any mixture of two versions into something else.
 */
export function sumModel(value: number): Uint8Array {
  return buildOnnx({
    nodes: [{ op: 'Gemm', inputs: ['x', 'ab', 'c'], outputs: ['y'] }],
    initializers: [
      { name: 'ab', shape: [2, 1], values: Float32Array.of(value, value) },
      { name: 'c', shape: [1], values: Float32Array.of(value) },
    ],
    inputs: [{ name: 'x', type: 'float32', shape: ['batch', 2] }],
    outputs: [{ name: 'y', type: 'float32', shape: ['batch', 1] }],
  });
}

/** LeNet-5 as ONNX in NCHW: 61,706 weights; input "image" [batch, 1, 28, 28], output "probabilities" [batch, 10]. */
export function lenetModel(seed: number): Uint8Array {
  const tensor = (name: string, shape: readonly number[]) => {
    const length = shape.reduce((product, dimension) => product * dimension, 1);
    return { name, shape, values: Float32Array.from({ length }, (_, i) => Math.sin(seed + i * i) / 8) };
  };
  const pool = { kernel_shape: [2, 2], strides: [2, 2] };
  return buildOnnx({
    nodes: [
      {
        op: 'Conv',
        inputs: ['image', 'conv1.w', 'conv1.b'],
        outputs: ['c1'],
        attributes: { kernel_shape: [5, 5], pads: [2, 2, 2, 2] },
      },
      { op: 'Relu', inputs: ['c1'], outputs: ['r1'] },
      { op: 'MaxPool', inputs: ['r1'], outputs: ['p1'], attributes: pool },
      {
        op: 'Conv',
        inputs: ['p1', 'conv2.w', 'conv2.b'],
        outputs: ['c2'],
        attributes: { kernel_shape: [5, 5] },
      },
      { op: 'Relu', inputs: ['c2'], outputs: ['r2'] },
      { op: 'MaxPool', inputs: ['r2'], outputs: ['p2'], attributes: pool },
      { op: 'Flatten', inputs: ['p2'], outputs: ['f'] },
      { op: 'Gemm', inputs: ['f', 'fc1.w', 'fc1.b'], outputs: ['g1'] },
      { op: 'Relu', inputs: ['g1'], outputs: ['r3'] },
      { op: 'Gemm', inputs: ['r3', 'fc2.w', 'fc2.b'], outputs: ['g2'] },
      { op: 'Relu', inputs: ['g2'], outputs: ['r4'] },
      { op: 'Gemm', inputs: ['r4', 'fc3.w', 'fc3.b'], outputs: ['g3'] },
      { op: 'Softmax', inputs: ['g3'], outputs: ['probabilities'] },
    ],
    initializers: [
      tensor('conv1.w', [6, 1, 5, 5]),
      tensor('conv1.b', [6]),
      tensor('conv2.w', [16, 6, 5, 5]),
      tensor('conv2.b', [16]),
      tensor('fc1.w', [400, 120]),
      tensor('fc1.b', [120]),
      tensor('fc2.w', [120, 84]),
      tensor('fc2.b', [84]),
      tensor('fc3.w', [84, 10]),
      tensor('fc3.b', [10]),
    ],
    inputs: [{ name: 'image', type: 'float32', shape: ['batch', 1, 28, 28] }],
    outputs: [{ name: 'probabilities', type: 'float32', shape: ['batch', 10] }],
  });
}
