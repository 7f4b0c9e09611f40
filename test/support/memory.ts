/** What a call allocates outside of the JavaScript heap, where a typed array's bytes lie. */

export interface MemoryGrowth {
  /** Bytes of array buffers that the call has left behind, collected or not. */
  readonly arrayBufferBytes: number;
  /** Bytes by which the process has become larger than it ever was. Collecting garbage in between hides nothing. */
  readonly peakBytes: number;
}

/** Runs `work`, which must not fail, and says how much memory that took. */
export function growthDuring(work: () => void): MemoryGrowth {
  const peakBefore = process.resourceUsage().maxRSS;
  const before = process.memoryUsage().arrayBuffers;
  work();
  const arrayBufferBytes = process.memoryUsage().arrayBuffers - before;
  return { arrayBufferBytes, peakBytes: (process.resourceUsage().maxRSS - peakBefore) * 1024 };
}
