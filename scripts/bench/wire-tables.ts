/** The report for a person. */
import { formatBytes, formatTable } from '@freshet/protocol/local/format';
import type { Machine } from './machine.ts';
import { type RivalName, type RivalResult, type Rivals, TOOL_NAMES } from './rivals.ts';
import type { ChainResult, WireCase, WireReport, WireTarget } from './wire-report.ts';
import { formatDensity } from './wire-targets.ts';

const RIVAL_NAMES: readonly RivalName[] = [...TOOL_NAMES, 'naive'];

const RIVALS_NOTE = `Rivals work on files of the bare weights before and after, and their times include reading those and
finding what has changed; Freshet's encoding starts from the changed weights, which the choice of what to publish has
found. Each tool ran once.`;

export function describeReport({ machine, cases, chains, targets }: WireReport): string {
  const parts = [describeMachine(machine), describeCases(cases)];
  const compared = cases.filter(({ rivals }) => rivals !== null);
  if (compared.length > 0)
    parts.push(`${describeRivals(compared)}\n\n${RIVALS_NOTE}`, ...missingTools(compared));
  if (chains.length > 0) parts.push(describeChains(chains));
  parts.push(describeTargets(targets));
  return parts.join('\n\n');
}

function describeMachine({ cpu, cores, memoryBytes, os, node, tools, date }: Machine): string {
  const versions = Object.entries(tools).map(([name, version]) => `${name} ${version ?? 'not installed'}`);
  return `${date}: ${cpu}, ${cores} cores, ${formatBytes(memoryBytes)} of memory, ${os}
Node ${node}; ${versions.join(', ')}`;
}

function describeCases(cases: readonly WireCase[]): string {
  const heading = [
    'MODEL',
    'DENSITY',
    'FORMAT',
    'CHANGED',
    'BYTES',
    'SIGNED',
    'TIMES SMALLER',
    'BITS/INDEX',
    'ENTROPY',
    'ENCODE',
    'APPLY',
  ];
  const rows = cases.map((each) => [
    each.model,
    formatDensity(each.density),
    each.format,
    String(each.changedCount),
    String(each.bytes),
    String(each.signedBytes),
    each.reductionFactor.toFixed(1),
    each.bitsPerIndex.toFixed(3),
    each.entropyBitsPerIndex.toFixed(3),
    formatMs(each.encodeMs),
    formatMs(each.applyMs),
  ]);
  return formatTable([heading, ...rows]);
}

/** One row for each change that rivals were given: cases that share their numbers share the row. */
function describeRivals(cases: readonly WireCase[]): string {
  const own = cases.filter(({ format, rivalsOf }) => format === rivalsOf);
  const heading = ['MODEL', 'DENSITY', 'CHANGE', 'FRESHET', ...RIVAL_NAMES.map((name) => name.toUpperCase())];
  const rows = own.map(({ model, density, format, bytes, encodeMs, rivals }) => [
    model,
    formatDensity(density),
    format,
    `${bytes} (${formatMs(encodeMs)})`,
    ...RIVAL_NAMES.map((name) => describeRival(rivals?.[name])),
  ]);
  return formatTable([heading, ...rows]);
}

function describeRival(result: RivalResult | undefined): string {
  if (result === undefined || result.bytes === null) return 'missing';
  return `${result.bytes} (${formatMs(result.ms)})`;
}

/** Each reason once. */
function missingTools(cases: readonly WireCase[]): string[] {
  const reasons = cases.flatMap(({ rivals }) => reasonsOf(rivals));
  return reasons.length === 0 ? [] : [[...new Set(reasons)].map((reason) => `missing: ${reason}`).join('\n')];
}

function reasonsOf(rivals: Rivals | null): string[] {
  return Object.values(rivals ?? {}).flatMap((result) => (result.bytes === null ? [result.missing] : []));
}

function describeChains(chains: readonly ChainResult[]): string {
  const heading = ['CHAIN OF', 'FORMAT', 'DELTAS', 'EQUAL ROOTS', 'END', 'BYTES'];
  const rows = chains.map(({ model, format, deltaCount, rootsEqual, isIdentical, bytes }) => [
    model,
    format,
    String(deltaCount),
    String(rootsEqual),
    isIdentical ? 'identical' : 'DIFFERENT',
    String(bytes),
  ]);
  return formatTable([heading, ...rows]);
}

function describeTargets(targets: readonly WireTarget[]): string {
  const rows = targets.map(({ name, target, actual, met }) => [
    name,
    target,
    actual === null ? '–' : String(Number(actual.toPrecision(4))),
    met === null ? 'not measured' : met ? 'met' : 'MISSED',
  ]);
  return formatTable([['TARGET', 'BOUND', 'ACTUAL', ''], ...rows]);
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${ms.toPrecision(3)} ms` : `${(ms / 1000).toPrecision(3)} s`;
}
