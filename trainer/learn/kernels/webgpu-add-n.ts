/**
 * The sum of any number of tensors on WebGPU. tfjs's own kernel binds all of them to one shader, of which a device
 * allows as few as eight: the gradient norm of any but the smallest models takes more.
 */
import type * as tf from '@tensorflow/tfjs-core';

/** What the kernel needs of tfjs's WebGPU backend. */
interface AddNBackend extends tf.KernelBackend {
  readonly device: { readonly limits: { readonly maxStorageBuffersPerShaderStage: number } };
}

/** Wraps `plain`, the backend's own kernel, and calls it for as many at a time as the device allows. */
export function webgpuAddN(plain: tf.KernelConfig): tf.KernelConfig {
  const sum = (backend: AddNBackend, terms: readonly tf.TensorInfo[], isOurs: boolean): tf.TensorInfo => {
    // One buffer is for the result.
    const groupMax = backend.device.limits.maxStorageBuffersPerShaderStage - 1;
    const groups = inGroups(terms, groupMax);
    const sums = groups.map((group) => {
      // tfjs passes the inputs of this op, and of it alone, as an array, and types them as it does all others.
      const inputs: unknown = group;
      // The op has one output.
      return plain.kernelFunc({
        inputs: inputs as tf.NamedTensorInfoMap,
        backend,
        attrs: {},
      }) as tf.TensorInfo;
    });
    if (isOurs) for (const term of terms) backend.disposeData(term.dataId);
    return sums.length === 1 ? sums[0]! : sum(backend, sums, true);
  };
  return {
    ...plain,
    kernelFunc: ({ inputs, backend }) => {
      const terms = Object.values(inputs) as tf.TensorInfo[];
      return sum(backend as AddNBackend, terms, false);
    },
  };
}

function inGroups<Item>(items: readonly Item[], sizeMax: number): Item[][] {
  const groups: Item[][] = [];
  for (let first = 0; first < items.length; first += sizeMax)
    groups.push(items.slice(first, first + sizeMax));
  return groups;
}
