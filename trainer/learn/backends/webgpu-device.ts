/**
 * A GPU by way of Dawn, Chromium's implementation of WebGPU, which the npm package `webgpu` brings to Node.js. Only
 * what is used of WebGPU is described here: Node.js's types do not have it, and the package may be absent.
 */
import type { ImportPackage } from './packages.ts';

export interface GpuAdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** A processor that plays a GPU. */
  readonly isFallbackAdapter: boolean;
}

interface GpuErrorEvent {
  readonly error: { readonly message: string };
}

export interface GpuDevice {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  addEventListener(type: 'uncapturederror', listener: (event: GpuErrorEvent) => void): void;
}

export interface GpuAdapter {
  readonly info: GpuAdapterInfo;
  readonly limits: Readonly<Record<string, number | undefined>>;
  requestDevice(descriptor: {
    readonly requiredLimits: Readonly<Record<string, number>>;
  }): Promise<GpuDevice>;
}

export interface Gpu {
  requestAdapter(options: { readonly powerPreference: 'high-performance' }): Promise<GpuAdapter | null>;
}

interface Dawn {
  /** `options`: of Dawn. */
  create(options: string[]): Gpu;
  /** The classes and constants that a browser has as globals. */
  readonly globals: object;
}

/** What tfjs's kernels make use of beyond what WebGPU promises everywhere. */
const LIMITS_RAISED = [
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
] as const;

/**
 * Kept until the process ends: once one is garbage, Dawn crashes in whatever came from it (webgpu 0.6.2, seen as a
 * segmentation fault in the next matrix product after a collection).
 */
const RETAINED: Gpu[] = [];

/** Loads Dawn and makes WebGPU's globals known, as tfjs expects to find them. @throws what importing throws */
export async function openGpu(importPackage: ImportPackage): Promise<Gpu> {
  // The package's promise, see its types.d.ts and README.
  const dawn = (await importPackage('webgpu')) as Dawn;
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  RETAINED.push(gpu);
  return gpu;
}

/**
 * A device with all that `adapter` has of the limits that matter. An error on it becomes an uncaught exception: tfjs
 * would go on with buffers of zeros.
 */
export async function openDevice(adapter: GpuAdapter): Promise<GpuDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of LIMITS_RAISED) {
    const limit = adapter.limits[name];
    if (limit !== undefined) requiredLimits[name] = limit;
  }
  const device = await adapter.requestDevice({ requiredLimits });
  device.addEventListener('uncapturederror', ({ error }) => raise(`the GPU refused work: ${error.message}`));
  // A device that we destroy ourselves is lost as well.
  void device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') raise(`the GPU is gone: ${message}`);
  });
  return device;
}

/** Out of any callback of Dawn's, which would swallow it. */
function raise(message: string): void {
  setImmediate(() => {
    throw new Error(message);
  });
}

export function describeAdapter({
  vendor,
  architecture,
  description,
  isFallbackAdapter,
}: GpuAdapterInfo): string {
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed GPU';
  return isFallbackAdapter ? `${name} (software)` : name;
}
