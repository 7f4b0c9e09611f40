/**
 * Proves a whole store: re-derives the root of every retained version from what is on disk, in one pass from the
 * newest version back over the undo records, and holds each delta and each snapshot on the way against it.
 */
import type { SparseDelta } from '@freshet/protocol/delta';
import { digestWeights } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import type { Root, WeightsVersion } from '@freshet/protocol/ids';
import type { ProvenWeights } from './proven-weights.ts';
import { type RestoreSource, readDelta, readSnapshot, restoreWeights } from './restore.ts';
import { followsPrevious } from './route.ts';
import type { StoreDatabase } from './store-database.ts';
import type { HistoryEntry } from './version-table.ts';

export interface VersionCheck {
  readonly version: WeightsVersion;
  readonly root: Root;
  readonly ok: boolean;
  /** What is wrong; empty when `ok`. The version may still be restorable another way. */
  readonly problems: readonly string[];
}

export interface VerifyReport {
  readonly ok: boolean;
  /** What SQLite's own integrity check complains about. */
  readonly integrityProblems: readonly string[];
  /** One for each retained version, ascending. */
  readonly versions: readonly VersionCheck[];
}

/** Checks the file, and the versions of `source` unless the store has no model yet. Never throws for damage. */
export function verifyStore(database: StoreDatabase, source: RestoreSource | null): VerifyReport {
  const integrityProblems: string[] = [];
  const note = (problem: string): void => void integrityProblems.push(problem);
  attempt(note, () => database.read(() => checkIntegrity(database, note)));
  const entries = source === null ? [] : attempt(note, () => database.read(() => source.versions.all()));
  const versions = source === null || entries === null ? [] : verifyVersions(source, entries);
  const ok = integrityProblems.length === 0 && versions.every((check) => check.ok);
  return { ok, integrityProblems, versions };
}

type Note = (problem: string) => void;

/** https://www.sqlite.org/pragma.html#pragma_integrity_check: one row "ok", or one row for each problem. */
function checkIntegrity({ connection }: StoreDatabase, note: Note): void {
  const rows = connection.prepare<[], string>('PRAGMA integrity_check').pluck().all();
  if (rows.length !== 1 || rows[0] !== 'ok') rows.forEach(note);
  const dangling = connection.prepare<[], string>('PRAGMA foreign_key_check').pluck().all();
  for (const table of dangling) note(`a row of table ${table} belongs to nothing`);
}

/** Checks all of `entries`, ascending. Reads only the disk. */
function verifyVersions(source: RestoreSource, entries: readonly HistoryEntry[]): VersionCheck[] {
  const checks: VersionCheck[] = [];
  let carried: ProvenWeights | null = null;
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i]!;
    const problems: string[] = [];
    const note = (problem: string): void => void problems.push(problem);
    if (carried !== null && carried.root(entry.version) !== entry.root) {
      note(`the undo record of version ${entries[i + 1]!.version} does not lead back to it`);
      carried = null;
    }
    if (entry.hasSnapshot) checkSnapshot(source, entry, note);
    const current: ProvenWeights | null =
      carried ?? attempt(note, () => restoreWeights(source, entries, entry, null));
    carried = current !== null && entry.base !== null ? goBack(source, entry, current, note) : null;
    if (!followsPrevious(entries, i)) carried = null;
    checks.push({ version: entry.version, root: entry.root, ok: problems.length === 0, problems });
  }
  return checks.reverse();
}

function checkSnapshot(source: RestoreSource, { version, root }: HistoryEntry, note: Note): void {
  const weights = attempt(note, () => readSnapshot(source, version));
  if (weights !== null && digestWeights(weights, source.model.digest, version) !== root) {
    note(`the snapshot of version ${version} has another root`);
  }
}

/**
 * Takes `current`, the proven weights of `entry`, back to its base, and checks that its delta leads from there to where
 * they were. Null when the undo record cannot be read.
 */
function goBack(
  source: RestoreSource,
  { version }: HistoryEntry,
  current: ProvenWeights,
  note: Note,
): ProvenWeights | null {
  const undo = attempt(note, () => readDelta(source, version, 'undo', current.weights));
  if (undo === null) return null;
  const redo = current.apply(undo);
  const delta = attempt(note, () => readDelta(source, version, 'payload', current.weights));
  if (delta !== null && !sameDelta(delta, redo)) {
    note(`the delta and the undo record of version ${version} are not each other's inverse`);
  }
  return current;
}

function sameDelta(left: SparseDelta, right: SparseDelta): boolean {
  return (
    Buffer.compare(bytesOf(left.indices), bytesOf(right.indices)) === 0 &&
    Buffer.compare(bytesOf(left.valueBits), bytesOf(right.valueBits)) === 0
  );
}

function attempt<T>(note: Note, action: () => T): T | null {
  try {
    return action();
  } catch (cause) {
    if (!(cause instanceof FreshetError)) throw cause;
    note(cause.message);
    return null;
  }
}

const bytesOf = (array: Uint32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
