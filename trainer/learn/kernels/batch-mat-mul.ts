/**
 * Matrix product, operands transposed or not, as a dense layer and its gradients need it (Y = X·W, dW = Xᵀ·dY,
 * dX = dY·Wᵀ). tfjs's own wasm kernel hands the plain product to XNNPACK but loops over the transposed ones itself: 6
 * times slower on the layers of LeNet-5. So operands are transposed first. Besides, XNNPACK copies the whole right
 * operand into an order of its own in each call, which for a small batch and a large W takes as long as the product.
 * Then it is cheaper to compute (Bᵀ·Aᵀ)ᵀ.
 */

import { assert } from '@freshet/protocol/assert';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type * as tf from '@tensorflow/tfjs-core';
import { transposeMatrix } from './transpose-matrix.ts';
import { transpose, WASM, type WasmKernelFunc, wasmKernel } from './wasm-kernel.ts';

interface Inputs {
  /** [...batch, rows, inner], or its last two axes swapped with `transposeA` */
  readonly a: tf.TensorInfo;
  /** [...batch, inner, columns], or its last two axes swapped with `transposeB` */
  readonly b: tf.TensorInfo;
}

/** A product of two tensors as they are: the backend's own kernel. The caller owns the result. */
type Product = (backend: BackendWasm, left: tf.TensorInfo, right: tf.TensorInfo) => tf.TensorInfo;

/** Measured, in nanoseconds for each element of a matrix of 2048 × 2048. Their ratio is what matters. */
const TRANSPOSE_COST = 3;
const PACK_COST = 7;

/** Wraps `plain`, the backend's own kernel; its set-up runs as before. */
export function batchMatMul(plain: tf.KernelConfig): tf.KernelConfig {
  const product: Product = (backend, left, right) => {
    const inputs = { a: left, b: right };
    const output = plain.kernelFunc({ inputs, backend, attrs: { transposeA: false, transposeB: false } });
    assert(!Array.isArray(output), 'a product has one output');
    return output;
  };
  const compute: WasmKernelFunc<Inputs, tf.BatchMatMulAttrs> = (backend, { a, b }, attrs) => {
    const { transposeA, transposeB } = attrs;
    const isSingle = [...a.shape.slice(0, -2), ...b.shape.slice(0, -2)].every((dimension) => dimension === 1);
    return isSingle
      ? singleProduct(product, backend, { a, b }, { transposeA, transposeB })
      : productOfMany(product, backend, { a, b }, { transposeA, transposeB });
  };
  return { ...plain, ...wasmKernel(plain.kernelName, compute), backendName: WASM };
}

function productOfMany(
  product: Product,
  backend: BackendWasm,
  { a, b }: Inputs,
  { transposeA, transposeB }: tf.BatchMatMulAttrs,
): tf.TensorInfo {
  const left = transposeA ? swapLastAxes(backend, a) : a;
  const right = transposeB ? swapLastAxes(backend, b) : b;
  const result = product(backend, left, right);
  if (left !== a) backend.disposeData(left.dataId);
  if (right !== b) backend.disposeData(right.dataId);
  return result;
}

/** Of one matrix by another: the operand on the right is the one whose copies cost less. */
function singleProduct(
  product: Product,
  backend: BackendWasm,
  { a, b }: Inputs,
  { transposeA, transposeB }: tf.BatchMatMulAttrs,
): tf.TensorInfo {
  const [rows, inner] = matrixShape(a, transposeA);
  const [, columns] = matrixShape(b, transposeB);
  const [aCount, bCount] = [rows * inner, inner * columns];
  const straightCost =
    (transposeA ? TRANSPOSE_COST * aCount : 0) +
    (transposeB ? TRANSPOSE_COST * bCount : 0) +
    PACK_COST * bCount;
  const swappedCost =
    (transposeA ? 0 : TRANSPOSE_COST * aCount) +
    (transposeB ? 0 : TRANSPOSE_COST * bCount) +
    PACK_COST * aCount +
    TRANSPOSE_COST * rows * columns;
  if (straightCost <= swappedCost) {
    const left = transposeA ? turned(backend, a, inner, rows) : a;
    const right = transposeB ? turned(backend, b, columns, inner) : b;
    const result = product(backend, left, right);
    disposeCopies(backend, [left, right], [a, b]);
    return result;
  }
  const left = transposeB ? b : turned(backend, b, inner, columns);
  const right = transposeA ? a : turned(backend, a, rows, inner);
  const swapped = product(backend, left, right);
  disposeCopies(backend, [left, right], [b, a]);
  const shape = [...swapped.shape.slice(0, -2), rows, columns];
  const result = transposeMatrix(backend, swapped, { rows: columns, columns: rows, shape });
  backend.disposeData(swapped.dataId);
  return result;
}

/** Rows and columns of an operand as it enters the product. */
function matrixShape({ shape }: tf.TensorInfo, isTransposed: boolean): readonly [number, number] {
  const [rows, columns] = shape.slice(-2);
  assert(rows !== undefined && columns !== undefined, 'a matrix has two axes');
  return isTransposed ? [columns, rows] : [rows, columns];
}

/** `matrix`, stored as rows × columns, with its last two axes swapped. */
function turned(backend: BackendWasm, matrix: tf.TensorInfo, rows: number, columns: number): tf.TensorInfo {
  const shape = [...matrix.shape.slice(0, -2), columns, rows];
  return transposeMatrix(backend, matrix, { rows, columns, shape });
}

function disposeCopies(
  backend: BackendWasm,
  used: readonly tf.TensorInfo[],
  originals: readonly tf.TensorInfo[],
): void {
  for (const [i, tensor] of used.entries()) if (tensor !== originals[i]) backend.disposeData(tensor.dataId);
}

function swapLastAxes(backend: BackendWasm, x: tf.TensorInfo): tf.TensorInfo {
  const axes = x.shape.map((_, axis) => axis);
  const last = axes.length - 1;
  return transpose(backend, x, [...axes.slice(0, -2), last, last - 1]);
}
