/**
 * The group of ed25519 (RFC 8032 §5.1), for signatures that no signer makes: slow, and of secrets that are none. Points
 * are affine and complete formulas add them, so that there are no special cases.
 */
import { hash } from 'node:crypto';
import { bytesOfHex } from './hex.ts';

const P = 2n ** 255n - 19n;
/** The order of the subgroup that B generates. */
export const GROUP_ORDER = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;

export interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

const mod = (value: bigint, modulus = P): bigint => ((value % modulus) + modulus) % modulus;
const inverse = (value: bigint): bigint => power(value, P - 2n);
const D = mod(-121_665n * inverse(121_666n));

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = mod(base), rest = exponent; rest > 0n; rest >>= 1n, square = mod(square * square)) {
    if ((rest & 1n) === 1n) result = mod(result * square);
  }
  return result;
}

/** Of RFC 8032 §5.1. */
export const B: Point = {
  x: 15_112_221_349_535_400_772_501_151_409_588_531_511_454_012_693_041_857_206_046_113_283_949_847_762_202n,
  y: mod(4n * inverse(5n)),
};

/** A point of order 8: its eightfold is neutral, and nothing less. */
export const ORDER_8: Point = {
  x: numberOf('4ad145c54646a1de38e2e513703c195cbb4ade38329933e9284a3906a0b9d51f'),
  y: numberOf('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
};

export function add(a: Point, b: Point): Point {
  const product = mod(D * a.x * b.x * a.y * b.y);
  return {
    x: mod((a.x * b.y + b.x * a.y) * inverse(1n + product)),
    y: mod((a.y * b.y + a.x * b.x) * inverse(1n - product)),
  };
}

export function multiply(point: Point, scalar: bigint): Point {
  let result: Point = { x: 0n, y: 1n };
  for (let double = point, rest = scalar; rest > 0n; rest >>= 1n, double = add(double, double)) {
    if ((rest & 1n) === 1n) result = add(result, double);
  }
  return result;
}

/** 32 bytes in hex: y, and the lowest bit of x in the place of the highest. */
export function encodePoint({ x, y }: Point): string {
  return hexOfNumber(y + ((x & 1n) << 255n));
}

/** 32 bytes, little-endian, in hex. */
export function hexOfNumber(number: bigint): string {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex');
}

/** Inverse of `hexOfNumber`, for any number of bytes. */
export function numberOf(hex: string): bigint {
  return BigInt(`0x${Buffer.from(bytesOfHex(hex)).reverse().toString('hex')}`);
}

/** The secret scalar of a seed, as RFC 8032 §5.1.5 has it. */
export function scalarOf(seed: string): bigint {
  const digest = numberOf(hash('sha512', bytesOfHex(seed), 'hex').slice(0, 64));
  return (digest & (2n ** 254n - 8n)) | (2n ** 254n);
}

/** k of RFC 8032 §5.1.7: what the statement, the key and R come to. All in hex. */
export function challengeOf(r: string, publicKey: string, statement: string): bigint {
  return mod(numberOf(hash('sha512', bytesOfHex(r + publicKey + statement), 'hex')), GROUP_ORDER);
}
