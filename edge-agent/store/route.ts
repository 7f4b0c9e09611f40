/**
 * The way to the weights of a retained version. Versions form chains of deltas; a snapshot that arrived over an older
 * head starts a new chain. Within a chain a version is reached forwards from a snapshot below it, or backwards, over
 * undo records, from a snapshot above it or from the head that is in memory. Pure.
 */
import { assert } from '@freshet/protocol/assert';
import type { WeightsVersion } from '@freshet/protocol/ids';
import type { HistoryEntry } from './version-table.ts';

export interface Route {
  /** Version of the snapshot to start from; null starts from the head's weights in memory. */
  readonly snapshot: WeightsVersion | null;
  /** `redo`: apply the deltas of `records`. `undo`: apply their undo records. */
  readonly direction: 'redo' | 'undo';
  /** In the order to apply them. */
  readonly records: readonly WeightsVersion[];
}

export interface RouteOptions {
  /** Whether the weights of the last entry are in memory. */
  readonly headInMemory: boolean;
  /** What reading a snapshot costs, in delta records. */
  readonly snapshotCost: number;
}

/** Whether the delta of `entries[index]` starts from the entry before it. */
export function followsPrevious(entries: readonly HistoryEntry[], index: number): boolean {
  const base = entries[index]?.base;
  return base !== null && base !== undefined && base === entries[index - 1]?.version;
}

/**
 * The route to `target` that reads the fewest records, or null when none leads there.
 * `entries` are all retained versions, ascending; `target` is one of them.
 */
export function planRoute(
  entries: readonly HistoryEntry[],
  target: WeightsVersion,
  { headInMemory, snapshotCost }: RouteOptions,
): Route | null {
  const index = entries.findIndex((entry) => entry.version === target);
  assert(index !== -1, 'a route is planned to a retained version');
  const forwards = routeFromBelow(entries, index);
  const backwards = routeFromAbove(entries, index, headInMemory);
  if (forwards === null || backwards === null) return forwards ?? backwards;
  const cost = (route: Route): number => route.records.length + (route.snapshot === null ? 0 : snapshotCost);
  return cost(forwards) <= cost(backwards) ? forwards : backwards;
}

function routeFromBelow(entries: readonly HistoryEntry[], target: number): Route | null {
  const records: WeightsVersion[] = [];
  for (let i = target; ; i--) {
    const entry = entries[i]!;
    if (entry.hasSnapshot) {
      return { snapshot: entry.version, direction: 'redo', records: records.reverse() };
    }
    if (!followsPrevious(entries, i)) return null;
    records.push(entry.version);
  }
}

function routeFromAbove(
  entries: readonly HistoryEntry[],
  target: number,
  headInMemory: boolean,
): Route | null {
  const records: WeightsVersion[] = [];
  for (let i = target; ; i++) {
    const entry = entries[i]!;
    const isHead = headInMemory && i === entries.length - 1;
    if (isHead || entry.hasSnapshot) {
      return { snapshot: isHead ? null : entry.version, direction: 'undo', records: records.reverse() };
    }
    if (!followsPrevious(entries, i + 1)) return null;
    records.push(entries[i + 1]!.version);
  }
}
