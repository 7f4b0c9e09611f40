/**
 * Brings back the weights of a retained version along a planned route, bit for bit, and proves them by their root.
 * Whatever is wrong in the file ends in STORE_CORRUPT naming the version: wrong weights are never returned.
 */
import type { HashHelper } from '@freshet/protocol/blake3/shared-climb';
import { applyDelta, type SparseDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { FreshetError } from '@freshet/protocol/errors';
import type { WeightsVersion } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import { ProvenWeights } from './proven-weights.ts';
import { planRoute, type Route } from './route.ts';
import { chunkCountOf, type SnapshotTable } from './snapshot-table.ts';
import type { StoreDatabase } from './store-database.ts';
import { corruptStore } from './store-errors.ts';
import type { DeltaRecord, HistoryEntry, VersionTable } from './version-table.ts';

/** Where restoring reads from. */
export interface RestoreSource {
  readonly database: StoreDatabase;
  readonly model: Model;
  readonly versions: VersionTable;
  readonly snapshots: SnapshotTable;
}

/**
 * The weights of `target`, one of `entries` (all retained versions, ascending), in fresh memory.
 * `head` are the weights of the last entry if they are in memory; they are only read. `helper`: for weights that are
 * kept and changed.
 * @throws STORE_CORRUPT
 */
export function restoreWeights(
  source: RestoreSource,
  entries: readonly HistoryEntry[],
  target: HistoryEntry,
  head: Float32Array | null,
  helper: HashHelper | null = null,
): ProvenWeights {
  const { database, model } = source;
  const route = planRoute(entries, target.version, {
    headInMemory: head !== null,
    snapshotCost: chunkCountOf(model.elementCount),
  });
  if (route === null) throw corruptStore(database.path, `nothing leads to version ${target.version}`);
  const restored = new ProvenWeights(walk(source, route, head), model.digest, helper);
  if (restored.root(target.version) !== target.root) {
    throw corruptStore(database.path, `version ${target.version} comes back with another root than it had`);
  }
  return restored;
}

/** The snapshot of `version`, not checked against its root. @throws STORE_CORRUPT */
export function readSnapshot(source: RestoreSource, version: WeightsVersion): Float32Array {
  const { database, snapshots, model } = source;
  const weights = database.read(() => snapshots.read(version, model.elementCount));
  if (weights === null) {
    throw corruptStore(database.path, `the snapshot of version ${version} has another size than the model`);
  }
  return weights;
}

/**
 * One payload of the delta record of `version`, decoded: `payload` for `weights` of its base, `undo` for those of
 * `version` itself.
 * @throws STORE_CORRUPT
 */
export function readDelta(
  { database, versions, model }: RestoreSource,
  version: WeightsVersion,
  part: keyof DeltaRecord,
  weights: Float32Array,
): SparseDelta {
  const record = database.read(() => versions.delta(version));
  if (record === null) throw corruptStore(database.path, `version ${version} has no delta`);
  try {
    return decodeDeltaPayload(record[part], weights, model);
  } catch (cause) {
    if (!(cause instanceof FreshetError)) throw cause;
    throw corruptStore(database.path, `the ${part} of version ${version} is ${cause.message}`, cause);
  }
}

function walk(source: RestoreSource, route: Route, head: Float32Array | null): Float32Array {
  const weights = route.snapshot === null ? head!.slice() : readSnapshot(source, route.snapshot);
  const part = route.direction === 'redo' ? 'payload' : 'undo';
  for (const version of route.records) applyDelta(weights, readDelta(source, version, part, weights));
  return weights;
}
