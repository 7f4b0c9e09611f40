/** What `npm run bench -- history --json` prints, and the same for a person. */
import { formatBytes, formatTable } from '@freshet/protocol/local/format';
import type { Machine } from './machine.ts';

export interface HistoryTimes {
  /** Samples per second, in requests of a thousand with ids, each on disk before the next. */
  readonly appendsPerSecond: number;
  /** Median of drawing a batch uniformly and reading it; the pages are in the cache of the system. */
  readonly sampleMs: number;
  readonly sampleMsP99: number;
  /** The part of `sampleMs` that is drawing. */
  readonly drawMs: number;
  /** Recording a step. */
  readonly takeStepMs: number;
  /** Forgetting a thousand samples anywhere. */
  readonly forgetThousandMs: number;
  /** Of the database with the full history and its ids. */
  readonly fileBytesPerSample: number;
}

export interface HistoryReport extends HistoryTimes {
  readonly bench: 'history';
  readonly seed: number;
  readonly machine: Machine;
  /** Samples of the history. */
  readonly sampleCount: number;
  /** Samples of a batch. */
  readonly batchCount: number;
  /** Input and target of one sample. */
  readonly payloadBytes: number;
  /** Null where less was asked for than the bound is about: a batch of 120 from a million. */
  readonly target: { readonly sampleMsMax: number; readonly met: boolean | null };
}

export function describeHistory(report: HistoryReport): string {
  const { machine, target, sampleCount, batchCount } = report;
  const rows = [
    ['WHAT', 'COSTS'],
    [`a batch of ${batchCount} of ${sampleCount} samples`, formatMs(report.sampleMs)],
    ['  99 of a hundred take at most', formatMs(report.sampleMsP99)],
    ['  drawing alone', formatMs(report.drawMs)],
    ['recording a step', formatMs(report.takeStepMs)],
    ['forgetting 1000 samples', formatMs(report.forgetThousandMs)],
    ['taking samples in', `${Math.round(report.appendsPerSecond)} / s`],
    [`a sample of ${report.payloadBytes} bytes on disk`, formatBytes(Math.round(report.fileBytesPerSample))],
  ];
  const verdict = target.met === null ? 'not measured' : target.met ? 'met' : 'MISSED';
  return [
    `${machine.date}: ${machine.cpu}, ${machine.cores} cores, ${machine.os}, Node ${machine.node}`,
    formatTable(rows),
    `a batch of 120 of a million in less than ${target.sampleMsMax} ms: ${verdict}`,
  ].join('\n\n');
}

function formatMs(ms: number): string {
  return `${ms.toPrecision(3)} ms`;
}
