/** The report for a person. */
import { formatTable } from '@freshet/protocol/local/format';
import type { OverheadCase, OverheadReport } from './overhead-report.ts';
import { formatDensity } from './wire-targets.ts';

const HEADING = [
  'BACKEND',
  'MODEL',
  'DENSITY',
  'VALUES',
  'STEP',
  'READ',
  'SPARSIFY',
  'ENCODE',
  'ROOT',
  'CHANGED',
  'BYTES',
  'FACTOR',
  'WITH ROOT',
  'BY CLOCK',
  'ROUNDS',
];

export function describeOverhead({ machine, cases, absent, factorMax }: OverheadReport): string {
  const { cpu, cores, os, node, date } = machine;
  const missed = cases.filter(({ overheadFactor }) => overheadFactor > factorMax);
  return [
    `${date}: ${cpu}, ${cores} cores, ${os}, Node ${node}`,
    formatTable([HEADING, ...cases.map(row)]),
    `Milliseconds, medians. SPARSIFY has READ in it. FACTOR is (STEP + SPARSIFY + ENCODE) / STEP; BY CLOCK is measured as a
whole, with ROOT and with what a publish does to the steps after it, and varies as steps do.`,
    ...absent.map(({ reason }) => `Left out: ${reason}`),
    missed.length === 0
      ? `All of ${cases.length} cases are at most ${factorMax} times a step.`
      : `${missed.length} of ${cases.length} cases are above ${factorMax} times a step.`,
  ].join('\n\n');
}

function row(each: OverheadCase): string[] {
  return [
    each.backend,
    each.model,
    formatDensity(each.density),
    each.values,
    ...[each.stepMs, each.readMs, each.sparsifyMs, each.encodeMs, each.digestMs].map((ms) => ms.toFixed(2)),
    String(each.changedCount),
    String(each.payloadBytes),
    each.overheadFactor.toFixed(3),
    each.overheadFactorWithDigest.toFixed(3),
    each.clockFactor.toFixed(3),
    String(each.rounds),
  ];
}
