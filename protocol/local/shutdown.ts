/** Being asked to end: by Ctrl-C, by a service manager, or because the terminal is gone. */

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Resolves with the first such signal. From then on further ones are ignored: an orderly end takes a moment, and an
 * impatient second Ctrl-C must not cut it short.
 */
export function untilAskedToEnd(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of SIGNALS) process.on(signal, () => resolve(signal));
  return promise;
}
