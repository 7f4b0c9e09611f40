/** What `npm run bench -- wire --json` prints. */
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import type { Machine } from './machine.ts';
import type { Rivals } from './rivals.ts';

export interface WireReport {
  readonly bench: 'wire';
  readonly seed: number;
  readonly machine: Machine;
  readonly cases: readonly WireCase[];
  /** One for each format, of the smallest model measured; none with a chain length of 0. */
  readonly chains: readonly ChainResult[];
  readonly targets: readonly WireTarget[];
}

export interface WireCase {
  readonly model: string;
  /** Share of the weights that a publish may change. */
  readonly density: number;
  readonly format: ValueFormat;
  /** Weights that do change: fewer where rounding leaves some as they were. */
  readonly changedCount: number;
  /** The whole WebSocket message: header, versions, root, payload. */
  readonly bytes: number;
  /** With an ed25519 signature. */
  readonly signedBytes: number;
  readonly bitsPerIndex: number;
  /** log2(weights choose changed) / changed. */
  readonly entropyBitsPerIndex: number;
  /** Payload and message, from the changed weights and their values. */
  readonly encodeMs: number;
  /** Message and payload decoded, weights changed, root computed. */
  readonly applyMs: number;
  /** What others make of the change; null where they were not asked. */
  readonly rivals: Rivals | null;
  /** Whose change: that of this case, or the exact one of the same density. */
  readonly rivalsOf: ValueFormat | null;
  /** Size of the model file; of the weights alone where the model was generated. */
  readonly fullModelBytes: number;
  /** fullModelBytes / bytes */
  readonly reductionFactor: number;
}

export interface ChainResult {
  readonly model: string;
  readonly format: ValueFormat;
  readonly deltaCount: number;
  /** Versions at which the roots were equal. */
  readonly rootsEqual: number;
  /** Whether the weights at the end are those of the publisher, to the bit. */
  readonly isIdentical: boolean;
  /** Of all WebSocket messages, unsigned. */
  readonly bytes: number;
}

export interface WireTarget {
  readonly name: string;
  /** `≥ 50`, `≤ 0.9` */
  readonly target: string;
  /** Null where it was not measured. */
  readonly actual: number | null;
  /** Null where nothing can be said: not measured, or a chain that was asked to be too short. */
  readonly met: boolean | null;
}
