/**
 * What the hub and its thread for old versions say to each other: one question at a time, each with one answer.
 *
 *   begin ▶ ◀ taken   undos ▶ ◀ taken   …   finish ▶ ◀ squashed | restored
 *
 * `failed` may stand in place of any answer; then the run is over. `begin` is always understood.
 */
import type { DeltaLayout } from '@freshet/protocol/delta-payload';
import type { ErrorCode } from '@freshet/protocol/errors';
import type { ModelDigest, Root, WeightsVersion } from '@freshet/protocol/ids';

export type WayQuestion =
  | {
      readonly type: 'begin';
      readonly makes: 'squash' | 'weights';
      /** At the end of the run; they are the thread's from here on. */
      readonly weights: Float32Array;
      readonly layout: DeltaLayout;
      readonly modelDigest: ModelDigest;
    }
  /** Payloads of the deltas that take the run back, newest first. */
  | { readonly type: 'undos'; readonly undos: readonly Uint8Array[] }
  /** `base`: the version that the undos led back to. */
  | { readonly type: 'finish'; readonly base: WeightsVersion };

export type WayAnswer =
  | { readonly type: 'taken' }
  /** Null: too large for a message. */
  | { readonly type: 'squashed'; readonly payload: Uint8Array | null }
  /** The asker's from here on. */
  | { readonly type: 'restored'; readonly weights: Float32Array; readonly root: Root }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };
