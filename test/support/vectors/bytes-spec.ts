/** Bytes as the vector files write them. */
import { bytesOfHex } from './hex.ts';

/** In hex; long ones as `prefix`, `repeated` so many times, and `suffix`. */
export type BytesSpec =
  | string
  | {
      readonly prefix: string;
      readonly repeated: string;
      readonly times: number;
      readonly suffix: string;
    };

/** The bytes that `spec` stands for: a new array. */
export function bytesOfSpec(spec: BytesSpec): Uint8Array {
  if (typeof spec === 'string') return bytesOfHex(spec);
  const { prefix, repeated, times, suffix } = spec;
  return Buffer.concat([
    bytesOfHex(prefix),
    Buffer.alloc((times * repeated.length) / 2, repeated, 'hex'),
    bytesOfHex(suffix),
  ]);
}
