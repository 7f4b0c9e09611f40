/** What the trainer's SQLite files have in common: whose a file is, and statements that are compiled once. */
import { FreshetError } from '@freshet/protocol/errors';
import type Database from 'better-sqlite3';

export interface FileKind {
  /** `version log`: for messages. */
  readonly name: string;
  readonly applicationId: number;
  /** Number of migrations there are. */
  readonly schemaVersion: number;
}

/**
 * Schema version of a file of this kind; 0 for an empty one.
 * @throws STORE_FOREIGN when it is something else, STORE_NEWER when a newer Freshet wrote it
 */
export function schemaVersionOf(handle: Database.Database, path: string, kind: FileKind): number {
  const applicationId = handle.pragma('application_id', { simple: true });
  const schemaVersion = Number(handle.pragma('user_version', { simple: true }));
  const tableCount = handle.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get() ?? 0;
  if (applicationId === 0 && schemaVersion === 0 && tableCount === 0) return 0;
  if (applicationId !== kind.applicationId) {
    throw new FreshetError(
      'STORE_FOREIGN',
      `${path} is not a Freshet ${kind.name}: use another --state directory`,
      { details: { applicationId } },
    );
  }
  if (schemaVersion > kind.schemaVersion) {
    throw new FreshetError(
      'STORE_NEWER',
      `${path} was written by a newer Freshet (schema ${schemaVersion}, this one knows ` +
        `${kind.schemaVersion}): upgrade, or use another --state directory`,
    );
  }
  return schemaVersion;
}

/** Compiles each text once and keeps it; of two uses of the same text only one may iterate at a time. */
export type Prepare = <Parameters extends unknown[], Row = unknown>(
  sql: string,
) => Database.Statement<Parameters, Row>;

export function preparing(handle: Database.Database): Prepare {
  const statements = new Map<string, Database.Statement>();
  return <Parameters extends unknown[], Row>(sql: string) => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = handle.prepare(sql);
      statements.set(sql, statement);
    }
    // The types of parameters and rows are the caller's knowledge of its own SQL, here as in better-sqlite3 itself.
    return statement as Database.Statement<unknown[]> as Database.Statement<Parameters, Row>;
  };
}
