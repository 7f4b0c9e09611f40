/**
 * Any GPU, by way of WebGPU: the packages `webgpu` (Dawn) and `@tensorflow/tfjs-backend-webgpu`, which are optional.
 * Runs without a display. Tensors can be read asynchronously only: `dataSync` throws.
 */
import * as tf from '@tensorflow/tfjs-core';
import { registerWebgpuKernels } from '../kernels/register-webgpu-kernels.ts';
import { type Backend, type BackendStart, reasonOf, type Unusable, unusable } from './backend.ts';
import { type ImportPackage, importInstalled, isAbsent } from './packages.ts';
import { vulkanObstacle } from './vulkan.ts';
import {
  describeAdapter,
  type Gpu,
  type GpuAdapter,
  type GpuAdapterInfo,
  type GpuDevice,
  openDevice,
  openGpu,
} from './webgpu-device.ts';

const WEBGPU = 'webgpu';
const DAWN_PACKAGE = 'webgpu';
const TFJS_PACKAGE = '@tensorflow/tfjs-backend-webgpu';

/** What is used of `@tensorflow/tfjs-backend-webgpu`, which may be absent. */
interface TfjsWebgpu {
  readonly WebGPUBackend: new (device: GpuDevice, info: GpuAdapterInfo) => tf.KernelBackend;
}

interface Opened {
  /** Its name. */
  readonly adapter: string;
  readonly isSoftware: boolean;
}

export interface WebgpuSurroundings {
  readonly importPackage: ImportPackage;
  /** What keeps the system from offering a GPU, or null. */
  readonly obstacle: () => Unusable | null;
}

const HERE: WebgpuSurroundings = {
  importPackage: importInstalled,
  obstacle: () => vulkanObstacle(process.env),
};

export function webgpuBackend(surroundings: WebgpuSurroundings = HERE): Backend {
  let opened: Opened | null = null;
  return {
    name: 'webgpu',
    async start({ allowSoftware = false } = {}): Promise<BackendStart> {
      // A second start in one process finds the device open.
      if (opened === null || tf.findBackend(WEBGPU) === null) {
        const attempt = await open(surroundings, allowSoftware);
        if ('kind' in attempt) return attempt;
        opened = attempt;
      }
      await tf.setBackend(WEBGPU);
      const { adapter, isSoftware } = opened;
      return { kind: 'started', adapter, ...(isSoftware && { onRequestOnly: true }) };
    },
  };
}

/** Registers the backend with tfjs. Returns what it runs on, or why it cannot. */
async function open(
  { importPackage, obstacle }: WebgpuSurroundings,
  allowSoftware: boolean,
): Promise<Opened | Unusable> {
  // First, because most machines without a GPU are done here, and the packages are large.
  const blocked = obstacle();
  if (blocked !== null) return blocked;
  const gpu = await load(importPackage);
  if ('kind' in gpu) return gpu;
  const adapter = await gpu.dawn.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    return unusable(
      'no driver offers an adapter that Dawn can use',
      "update the GPU's driver; `vulkaninfo --summary` shows what there is",
    );
  }
  const adapterName = describeAdapter(adapter.info);
  const isSoftware = adapter.info.isFallbackAdapter;
  if (isSoftware && !allowSoftware) {
    return unusable(
      `the only adapter is a processor: ${adapterName}`,
      'use wasm, which is faster; to try it all the same, set FRESHET_WEBGPU_SOFTWARE=1 and ask for webgpu by name',
    );
  }
  try {
    await register(gpu.dawn, adapter, gpu.tfjs);
  } catch (error) {
    return unusable(`its device does not open: ${reasonOf(error)}`, "update the GPU's driver");
  }
  return { adapter: adapterName, isSoftware };
}

async function load(
  importPackage: ImportPackage,
): Promise<{ readonly dawn: Gpu; readonly tfjs: TfjsWebgpu } | Unusable> {
  let packageName = TFJS_PACKAGE;
  try {
    // Before WebGPU's globals are there: it would open a device of its own, with limits that are too low.
    const tfjs = (await importPackage(TFJS_PACKAGE)) as TfjsWebgpu;
    packageName = DAWN_PACKAGE;
    return { dawn: await openGpu(importPackage), tfjs };
  } catch (error) {
    return isAbsent(error, packageName)
      ? unusable(`not installed: ${packageName}`, 'run `npm install` without --omit=optional')
      : unusable(`${packageName} does not load: ${reasonOf(error)}`, `run \`npm rebuild ${packageName}\``);
  }
}

async function register(gpu: Gpu, adapter: GpuAdapter, { WebGPUBackend }: TfjsWebgpu): Promise<void> {
  const device = await openDevice(adapter);
  // The constructor looks for it, and nothing later.
  Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
  try {
    const backend = new WebGPUBackend(device, adapter.info);
    registerWebgpuKernels();
    tf.registerBackend(WEBGPU, () => backend);
  } finally {
    Reflect.deleteProperty(navigator, 'gpu');
  }
}
