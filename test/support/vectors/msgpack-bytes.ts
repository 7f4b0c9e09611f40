/**
 * MessagePack by hand, for frames that our encoder never writes: other lengths of the same value, types that the
 * protocol does not use, and arrays that say more than they hold. Every function returns hex.
 */
import { hexOf } from './hex.ts';

const digits = (value: number | bigint, byteCount: number): string =>
  value.toString(16).padStart(2 * byteCount, '0');

export const nil = 'c0';
export const bool = (value: boolean): string => (value ? 'c3' : 'c2');

/** An unsigned integer in its shortest form. */
export function uint(value: number): string {
  if (value < 0x80) return digits(value, 1);
  if (value < 0x100) return `cc${digits(value, 1)}`;
  if (value < 0x1_0000) return `cd${digits(value, 2)}`;
  return value < 0x1_0000_0000 ? `ce${digits(value, 4)}` : `cf${digits(value, 8)}`;
}

export const uint64 = (value: number | bigint): string => `cf${digits(value, 8)}`;
/** Not negative: an integer as which msgpackr writes numbers above 32 bits. */
export const int64 = (value: number | bigint): string => `d3${digits(value, 8)}`;

/** A byte string in its shortest form. `hex`: its bytes. */
export function bin(hex: string): string {
  return prefixed(hex, ['c4', 'c5', 'c6']);
}

/** Text in its shortest form. */
export function str(text: string): string {
  return textOfBytes(hexOf(Buffer.from(text)));
}

/** The same of bytes in hex, UTF-8 or not. */
export function textOfBytes(hex: string): string {
  const byteCount = hex.length / 2;
  return byteCount < 32 ? digits(0xa0 + byteCount, 1) + hex : prefixed(hex, ['d9', 'da', 'db']);
}

/** The head of an array of `count` items, in its shortest form. */
export function arrayOf(count: number): string {
  if (count < 16) return digits(0x90 + count, 1);
  return count < 0x1_0000 ? `dc${digits(count, 2)}` : `dd${digits(count, 4)}`;
}

export function array(items: readonly string[]): string {
  return arrayOf(items.length) + items.join('');
}

/** `types`: for a length of one, of two and of four bytes. */
function prefixed(hex: string, types: readonly [string, string, string]): string {
  const byteCount = hex.length / 2;
  const width = byteCount < 0x100 ? 0 : byteCount < 0x1_0000 ? 1 : 2;
  return types[width]! + digits(byteCount, 2 ** width) + hex;
}
