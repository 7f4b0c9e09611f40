/**
 * The learner's state on disk: what a restart needs beyond the version log. The file is SHA-256 ‖ V8 structured
 * clone, written to a neighbour and renamed, so that it is whole or not there. Losing it costs the optimiser's
 * momentum and the residual, never a version: the log is what was published.
 */
import { hash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { FreshetError } from '@freshet/protocol/errors';
import type { LineId, ModelDigest } from '@freshet/protocol/ids';
import type { AdamState } from './adam.ts';
import type { StreamState } from './stream-training.ts';

const DIGEST_BYTES = 32;

/** Raised with every change to `Checkpoint`: a file of another format is not read. */
const FORMAT = 3;

export interface Checkpoint {
  /** The line of versions that it belongs to: another one's weights have no place in it. */
  readonly lineId: LineId;
  readonly modelDigest: ModelDigest;
  /** Where the stream stands. */
  readonly stream: StreamState;
  /** Dense trained weights, in canonical order. */
  readonly weights: Float32Array;
  readonly optimizer: AdamState;
}

/** Replaces the file at `path`. On a failure the former one is still there. */
export function writeCheckpoint(path: string, checkpoint: Checkpoint): void {
  const body = serialize({ format: FORMAT, checkpoint });
  const temporary = `${path}.tmp`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeFileSync(file, Buffer.concat([hash('sha256', body, 'buffer'), body]));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/**
 * The checkpoint at `path`, or null when there is none.
 * @throws STORE_CORRUPT when the file is damaged or of another format.
 */
export function readCheckpoint(path: string): Checkpoint | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  const body = bytes.subarray(DIGEST_BYTES);
  if (!hash('sha256', body, 'buffer').equals(bytes.subarray(0, DIGEST_BYTES))) {
    throw corrupt(path, 'its digest does not fit its contents');
  }
  const { format, checkpoint } = deserialize(body) as {
    format: number;
    checkpoint: Checkpoint;
  };
  if (format !== FORMAT) throw corrupt(path, `it has format ${format}, this version writes ${FORMAT}`);
  return checkpoint;
}

function corrupt(path: string, why: string): FreshetError {
  return new FreshetError(
    'STORE_CORRUPT',
    `cannot resume from ${path}: ${why}. Remove it to go on from the newest published version`,
  );
}
