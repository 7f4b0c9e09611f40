/** What is fuzzed: a decoder, valid inputs of it, and what must hold of whatever it makes of damaged ones. */
import type { ErrorCode } from '@freshet/protocol/errors';

/** A valid input, and the decoder as it works in the place of that input: for its model, its weights, its pinned key. */
export interface FuzzSample {
  readonly bytes: Uint8Array;
  /**
   * Decodes `bytes`, which may be anything, and returns all that came out in some form of bytes, for comparing.
   * @throws FreshetError with one of the target's codes; anything else, as an assertion of what must hold of a result, is
   * what fuzzing looks for
   */
  decode(bytes: Uint8Array): Uint8Array;
}

export interface FuzzTarget {
  readonly name: string;
  /** What the decoder may refuse with. */
  readonly codes: readonly ErrorCode[];
  /** Two samples at least. */
  readonly corpus: readonly FuzzSample[];
}
