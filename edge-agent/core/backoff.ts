/**
 * How long to wait before connecting again: exponential with full jitter (M. Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015), so that a fleet does not return to a restarted hub all at once.
 */

export interface BackoffLimits {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

export const RECONNECT_BACKOFF: BackoffLimits = { delayMsMin: 100, delayMsMax: 30_000 };

/**
 * Milliseconds to wait after `failures` (≥ 1) failed attempts in a row. `random` returns a number in [0, 1).
 * The result lies between delayMsMin and min(delayMsMax, delayMsMin × 2^failures).
 */
export function backoffDelayMs(failures: number, random: () => number, limits: BackoffLimits): number {
  const ceiling = Math.min(limits.delayMsMax, limits.delayMsMin * 2 ** failures);
  return limits.delayMsMin + random() * (ceiling - limits.delayMsMin);
}
