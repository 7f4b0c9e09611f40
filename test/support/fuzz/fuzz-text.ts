/** What fuzzing has found, for a person. */
import { formatBytes } from '@freshet/protocol/local/format';
import type { FuzzFailure, FuzzOutcome } from './fuzz-frame.ts';
import type { FuzzReport } from './fuzz-run.ts';

/** Longer inputs are cut off: the command makes them again. */
const SHOWN_BYTES_MAX = 512;

export function describeReport(decoder: string, report: FuzzReport, elapsedMs: number): string {
  const { frames, decoded, refused, leftBytes } = report;
  const codes = Object.entries(refused).map(([code, count]) => `${count} ${code}`);
  const perFrame = ((1000 * elapsedMs) / frames).toFixed(0);
  return (
    `${decoder}: ${frames} inputs in ${(elapsedMs / 1000).toFixed(1)} s (${perFrame} µs each), ` +
    `${[`${decoded} decoded`, ...codes].join(', ')}; memory left: ${leftBytes < 0 ? '−' : '+'}${formatBytes(Math.abs(leftBytes))}`
  );
}

/** What has failed in a run, and how to see it again; null where nothing has. */
export function describeFault(decoder: string, seed: number, report: FuzzReport): string | null {
  const { frames, failure, excess } = report;
  const again = `npm run fuzz -- --decoder ${decoder} --seed ${seed}`;
  if (failure !== null) {
    return [
      describeFailure(decoder, failure),
      'Again, by itself:',
      `  ${again} --frame ${failure.frame}`,
      'Again, after all that came before it:',
      `  ${again} --frames ${frames}`,
    ].join('\n');
  }
  if (excess === null) return null;
  return [
    `FAILED: ${decoder}, after ${frames} inputs: ${excess}`,
    'Again:',
    `  ${again} --frames ${frames}`,
  ].join('\n');
}

function describeFailure(decoder: string, { frame, bytes, sampleIndex, error }: FuzzFailure): string {
  const shown = Buffer.from(bytes.subarray(0, SHOWN_BYTES_MAX)).toString('hex');
  const cut = bytes.length > SHOWN_BYTES_MAX ? `… (${bytes.length} bytes)` : '';
  return [
    `FAILED: ${decoder}, input ${frame}, made of sample ${sampleIndex}: ${shown}${cut}`,
    error instanceof Error ? (error.stack ?? error.message) : String(error),
  ].join('\n');
}

export function describeOutcome(decoder: string, frame: number, outcome: FuzzOutcome): string {
  switch (outcome.kind) {
    case 'decoded':
      return `${decoder}, input ${frame}: decoded`;
    case 'refused':
      return `${decoder}, input ${frame}: refused with ${outcome.code}`;
    case 'failed':
      return describeFailure(decoder, outcome.failure);
  }
}
