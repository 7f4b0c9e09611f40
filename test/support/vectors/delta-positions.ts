/**
 * Payloads that end behind their positions, for models so large that nobody wants to write down their weights: the edges
 * of what positions can be.
 */
import { hash } from 'node:crypto';
import { decodeDeltaIndices } from '@freshet/protocol/delta-payload';
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import { layoutOf } from '../deltas.ts';
import { hexOf } from './hex.ts';
import { RawPayload } from './raw-payload.ts';
import { spread } from './vector-weights.ts';

interface Positions {
  readonly name: string;
  /** Numbers of weights of the tensors. */
  readonly tensors: readonly number[];
  readonly payload: string;
}

export type AcceptedPositions = Positions & PositionsResult;
export type InvalidPositions = Positions & { readonly code: ErrorCode; readonly reason: string };

export interface PositionVectors {
  readonly accepted: readonly AcceptedPositions[];
  readonly invalid: readonly InvalidPositions[];
}

/** How many there are, and SHA-256 of all of them as u32le. */
interface PositionsResult {
  readonly changes: number;
  readonly indicesSha256: string;
}

/** As many as a model may have. */
const LARGEST = 2 ** 28;
/** After so many neighbours gaps are cut at bit 0 even there. */
const NEIGHBOURS = 1300;
const RANKED = 8;
const STEP_EXPONENT = 104;

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export function positionVectors(): PositionVectors {
  return {
    accepted: [
      accepted('a gap code of 27 bits 0, the longest that leads anywhere', afterNeighbours(LARGEST - 1)),
      accepted(
        'a rank of 64 positions',
        new RawPayload([RANKED, 64, STEP_EXPONENT]).rank(
          range(64).map((i) => 2 ** 22 * i + (spread(i) >>> 10)),
          LARGEST,
        ),
      ),
      accepted(
        'the largest rank of 64 positions',
        new RawPayload([RANKED, 64, STEP_EXPONENT]).rank(
          range(64).map((i) => LARGEST - 64 + i),
          LARGEST,
        ),
      ),
    ],
    invalid: [
      // A quotient of 16 + E, E + 1 having one bit more than there are bits 0: 2^28 + 15 at least.
      invalid('a gap code of 28 bits 0', afterNeighbours(NEIGHBOURS + LARGEST + 15)),
      invalid('a gap code of 29 bits 0', afterNeighbours(NEIGHBOURS + 2 * LARGEST + 15)),
      invalid('a gap code of 30 bits 0', afterNeighbours(NEIGHBOURS + 4 * LARGEST + 15)),
    ],
  };
}

/** What a decoder makes of the positions of `vector`. @throws DELTA_MALFORMED */
export function positionsResult(tensors: readonly number[], payload: Uint8Array): PositionsResult {
  const indices = decodeDeltaIndices(payload, layoutOf(tensors));
  const bytes = new Uint8Array(indices.buffer, indices.byteOffset, indices.byteLength);
  return { changes: indices.length, indicesSha256: hash('sha256', bytes, 'hex') };
}

/** All of the first weights, and one far behind them. */
function afterNeighbours(index: number): RawPayload {
  const count = NEIGHBOURS + 1;
  return new RawPayload([0, (count & 0x7f) | 0x80, count >> 7, STEP_EXPONENT]).indices(
    [...range(NEIGHBOURS), index],
    LARGEST,
  );
}

function accepted(name: string, written: RawPayload): AcceptedPositions {
  const [tensors, payload] = [[LARGEST], written.finish()];
  return { name, tensors, payload: hexOf(payload), ...positionsResult(tensors, payload) };
}

function invalid(name: string, written: RawPayload): InvalidPositions {
  const [tensors, payload] = [[LARGEST], written.finish()];
  try {
    positionsResult(tensors, payload);
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    return { name, tensors, payload: hexOf(payload), code: error.code, reason: error.message };
  }
  throw new TypeError(`"${name}" is not invalid`);
}
