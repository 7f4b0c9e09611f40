/** A way to a version: what it is made of, what it costs, and who can take it. */
import type { Capabilities } from '@freshet/protocol/handshake';
import type { WeightsVersion } from '@freshet/protocol/ids';
import { FRAME_OVERHEAD_BYTES_MAX } from '@freshet/protocol/limits';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import type { FrameTransfer } from '../delta-frames.ts';

/** The stored deltas up to `through`, each in a frame of its own. */
export interface ChainWay {
  readonly kind: 'chain';
  readonly through: WeightsVersion;
  /** Of all values in them. */
  readonly formats: readonly ValueFormat[];
  readonly payloadBytesMax: number;
}

/** `wireBytes`: what the whole way costs, WebSocket headers included. */
export type Way = (FrameTransfer | ChainWay | { readonly kind: 'snapshot' }) & {
  readonly wireBytes: number;
};

/** Every agent takes the chunks of a snapshot: they are below FRAME_BYTES_FLOOR. */
export function canTake(way: Way, { valueFormats, frameBytesMax }: Capabilities): boolean {
  switch (way.kind) {
    case 'snapshot':
      return true;
    case 'frame':
      return way.frame.length <= frameBytesMax && way.formats.every((format) => valueFormats.has(format));
    case 'chain':
      return (
        way.payloadBytesMax + FRAME_OVERHEAD_BYTES_MAX <= frameBytesMax &&
        way.formats.every((format) => valueFormats.has(format))
      );
  }
}

/** Memory that keeping a way costs, in bytes. */
export function keptBytesOf(way: Way): number {
  return way.kind === 'frame' ? way.frame.length : 0;
}
