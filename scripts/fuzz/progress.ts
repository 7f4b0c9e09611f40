/** How far a run has come, in one line of the terminal; nothing where there is none. */

export interface Progress {
  /** Shows that so many inputs are done. Always true: the run goes on. */
  show(frames: number): boolean;
  /** Clears the line. */
  end(): void;
}

const INTERVAL_MS = 200;

export function createProgress(decoder: string, framesMax: number): Progress {
  if (!process.stderr.isTTY) return { show: () => true, end: () => undefined };
  const start = performance.now();
  let shownAt = 0;
  return {
    show(frames) {
      const now = performance.now();
      if (now - shownAt >= INTERVAL_MS) {
        shownAt = now;
        const share = ((100 * frames) / framesMax).toFixed(0);
        const restSeconds = (((now - start) / frames) * (framesMax - frames)) / 1000;
        process.stderr.write(
          `\r\x1b[2K${decoder}: ${frames} of ${framesMax} (${share} %), ${restSeconds.toFixed(0)} s left`,
        );
      }
      return true;
    },
    end: () => void process.stderr.write('\r\x1b[2K'),
  };
}
