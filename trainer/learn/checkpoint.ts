/**
 * The learner's state on disk, between two rounds: with it and the sample log a run goes on as if it had never ended, and
 * publishes again what it has published since, bit for bit. The file is SHA-256 ‖ V8 structured clone, written to a
 * neighbour and renamed, so that it is whole or not there. Losing it costs the optimiser's momentum and the residual,
 * never a version: the version log is what was published.
 */
import { hash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { FreshetError } from '@freshet/protocol/errors';
import type { LineId, ModelDigest } from '@freshet/protocol/ids';
import type { PublishPolicyState } from '../core/publish-policy/publish-policy.ts';
import type { SamplerState } from '../core/samplers/history-sampler.ts';
import type { SparsifierState } from '../core/sparsifiers/sparsifier.ts';
import type { TriggerState } from '../core/triggers/trigger.ts';
import type { OptimiserState } from './optimisers/optimiser.ts';
import type { StreamState } from './stream/stream-training.ts';

const DIGEST_BYTES = 32;

/** Raised with every change to `Checkpoint`: a file of another format is not read. */
const FORMAT = 4;

export interface Checkpoint {
  /** The line of versions that it belongs to: another one's weights have no place in it. */
  readonly lineId: LineId;
  readonly modelDigest: ModelDigest;
  readonly stream: StreamState;
  readonly sampler: SamplerState;
  readonly trigger: TriggerState;
  readonly policy: PublishPolicyState;
  readonly sparsifier: SparsifierState;
  /** Newest version published, and its weights: what replicas hold. 0 before the first. */
  readonly version: number;
  readonly shadow: Float32Array;
  /** Dense trained weights, in canonical order. */
  readonly weights: Float32Array;
  readonly optimizer: OptimiserState;
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
