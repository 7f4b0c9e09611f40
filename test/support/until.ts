/** Waiting for something that another process brings about: looked at often, given up after a while. */
import { setTimeout as delay } from 'node:timers/promises';

const INTERVAL_MS = 20;
const TIMEOUT_MS_DEFAULT = 60_000;

/** The first result of `look` that is neither null nor false. */
export async function until<Result>(
  what: string,
  look: () => Promise<Result | null | false> | Result | null | false,
  timeoutMs = TIMEOUT_MS_DEFAULT,
): Promise<Result> {
  const deadlineMs = performance.now() + timeoutMs;
  while (true) {
    const result = await look();
    if (result !== null && result !== false) return result;
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await delay(INTERVAL_MS);
  }
}
