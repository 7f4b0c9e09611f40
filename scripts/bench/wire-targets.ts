/** What the format is meant to reach, held against what was measured. */
import type { RivalResult } from './rivals.ts';
import type { ChainResult, WireCase, WireTarget } from './wire-report.ts';

type Bound = { readonly atLeast: number } | { readonly atMost: number };

/** A publish of 13 of LeNet-5's weights, as a density. */
export const LENET5_FEW_DENSITY = 13 / 61_706;
const EXACT_DENSITIES = [1e-3, 1e-2, 1e-1];
/** From here on the last byte, which is never full, counts less than how well positions are coded. */
const INDEX_COUNT_MANY = 50;
export const CHAIN_LENGTH = 10_000;

export function wireTargets(
  cases: readonly WireCase[],
  chains: readonly ChainResult[],
): readonly WireTarget[] {
  return [
    factorTarget(cases, 1e-4, 10_000),
    factorTarget(cases, 1e-3, 1000),
    ...fewTargets(cases),
    indexTarget('every case', cases),
    indexTarget(
      `those of ${INDEX_COUNT_MANY} changes and more`,
      cases.filter(({ changedCount }) => changedCount >= INDEX_COUNT_MANY),
    ),
    ...['lenet5', 'resnet18'].flatMap((model) =>
      EXACT_DENSITIES.flatMap((density) => exactTargets(cases, model, density)),
    ),
    applyTarget(cases, 1e-4, 3),
    applyTarget(cases, 1e-2, 15),
    chainTarget(chains),
  ];
}

export function formatDensity(density: number): string {
  return `${Number((100 * density).toPrecision(3))} %`;
}

function casesOf(cases: readonly WireCase[], model: string, density: number): readonly WireCase[] {
  return cases.filter((each) => each.model === model && each.density === density);
}

function factorTarget(cases: readonly WireCase[], density: number, factor: number): WireTarget {
  const found = casesOf(cases, 'resnet18', density).find(({ format }) => format === 'f16');
  const actual = found === undefined ? null : found.fullModelBytes / found.signedBytes;
  const name = `resnet18 at ${formatDensity(density)}, f16, signed: model bytes / message bytes`;
  return compare(name, { atLeast: factor }, actual);
}

function fewTargets(cases: readonly WireCase[]): WireTarget[] {
  const found = casesOf(cases, 'lenet5', LENET5_FEW_DENSITY).find(({ format }) => format === 'f16');
  const name = 'lenet5, 13 values, f16';
  return [
    compare(`${name}, signed: message bytes`, { atMost: 160 }, found?.signedBytes ?? null),
    compare(`${name}, unsigned: message bytes`, { atMost: 96 }, found?.bytes ?? null),
  ];
}

function indexTarget(which: string, cases: readonly WireCase[]): WireTarget {
  const ratios = cases.map((each) => each.bitsPerIndex / each.entropyBitsPerIndex);
  return compare(`${which}: index bits / entropy`, { atMost: 1.05 }, largestOf(ratios));
}

/** Bytes and time of exact deltas against the smallest of what difference tools make. */
function exactTargets(cases: readonly WireCase[], model: string, density: number): WireTarget[] {
  const exact = casesOf(cases, model, density).find(({ format }) => format === 'f32');
  const rival = exact?.rivals == null ? null : smallestOf(exact.rivals);
  const [bytesRatio, speedRatio] =
    exact === undefined || rival === null
      ? [null, null]
      : [exact.bytes / rival.bytes, rival.ms / exact.encodeMs];
  const name = `${model} at ${formatDensity(density)}, f32`;
  return [
    compare(`${name}: message bytes / smallest of zstd19, bsdiff, xdelta3`, { atMost: 0.9 }, bytesRatio),
    compare(`${name}: time of that tool / time to encode`, { atLeast: 50 }, speedRatio),
  ];
}

/** Null where one of the tools has no number: the others do not stand for it. */
function smallestOf({ zstd19, bsdiff, xdelta3 }: NonNullable<WireCase['rivals']>) {
  const results: readonly RivalResult[] = [zstd19, bsdiff, xdelta3];
  const measured = results.filter((result) => result.bytes !== null);
  if (measured.length < results.length) return null;
  return measured.reduce((best, each) => (each.bytes < best.bytes ? each : best));
}

function applyTarget(cases: readonly WireCase[], density: number, ms: number): WireTarget {
  const times = casesOf(cases, 'resnet18', density).map(({ applyMs }) => applyMs);
  const name = `resnet18 at ${formatDensity(density)}, slowest format: ms to decode, apply and prove`;
  return compare(name, { atMost: ms }, largestOf(times));
}

/**
 * A chain counts as far as its roots were equal, and only if it ends at the same bits. One that was asked to be shorter
 * can miss the target, but not meet it.
 */
function chainTarget(chains: readonly ChainResult[]): WireTarget {
  const name = 'every format: successive deltas with equal roots, and equal bits at the end';
  const lengths = chains.map(({ rootsEqual, isIdentical }) => (isIdentical ? rootsEqual : 0));
  const asked = Math.min(...chains.map(({ deltaCount }) => deltaCount));
  const compared = compare(
    name,
    { atLeast: CHAIN_LENGTH },
    lengths.length === 0 ? null : Math.min(...lengths),
  );
  const isShorter = compared.actual === asked && asked < CHAIN_LENGTH;
  return isShorter ? { ...compared, met: null } : compared;
}

function largestOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.max(...values);
}

function compare(name: string, bound: Bound, actual: number | null): WireTarget {
  if ('atLeast' in bound) {
    const { atLeast } = bound;
    return { name, target: `≥ ${atLeast}`, actual, met: actual === null ? null : actual >= atLeast };
  }
  const { atMost } = bound;
  return { name, target: `≤ ${atMost}`, actual, met: actual === null ? null : actual <= atMost };
}
