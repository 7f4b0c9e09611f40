/**
 * Field types of the wire messages. A message is a MessagePack array of positional fields, so each field here knows
 * how its value looks on the wire, what it accepts from a peer, and how PROTOCOL.md writes it.
 */
import { FreshetError } from './errors.ts';
import {
  type AgentId,
  asLineId,
  asModelDigest,
  asRoot,
  asWeightsVersion,
  isAgentId,
  type LineId,
  type ModelDigest,
  type Root,
  type WeightsVersion,
} from './ids.ts';

/**
 * `read` takes a value that MessagePack decoding produced and returns ours, or throws FRAME_MALFORMED naming `path`.
 * `write` is its inverse. `notation` is the type in the notation of PROTOCOL.md; it is part of the wire shape.
 */
export interface Field<Value> {
  readonly notation: string;
  read(value: unknown, path: string): Value;
  write(value: Value): unknown;
}

export type ValueOf<F> = F extends Field<infer Value> ? Value : never;

export function malformed(path: string, expected: string): FreshetError {
  return new FreshetError('FRAME_MALFORMED', `malformed message: ${path} is not ${expected}`);
}

/** Integer from 0 to `max`. */
export function uint(max: number): Field<number> {
  const notation = `uint .le ${max}`;
  return {
    notation,
    read(value, path) {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) {
        throw malformed(path, notation);
      }
      return value;
    },
    // msgpackr would write a larger number as a float64.
    write: (value) => (value > 0xffff_ffff ? BigInt(value) : value),
  };
}

/** UTF-8 text of at most `bytesMax` bytes. */
export function text(bytesMax: number): Field<string> {
  const notation = `tstr .size (0..${bytesMax})`;
  return {
    notation,
    read(value, path) {
      if (typeof value !== 'string' || Buffer.byteLength(value) > bytesMax) throw malformed(path, notation);
      return value;
    },
    write: (value) => value,
  };
}

/** Bytes; the value read is a view on the frame that was decoded. */
export function bytes(bytesMax: number): Field<Uint8Array> {
  const notation = `bstr .size (0..${bytesMax})`;
  return {
    notation,
    read(value, path) {
      if (!(value instanceof Uint8Array) || value.length > bytesMax) throw malformed(path, notation);
      return value;
    },
    write: (value) => value,
  };
}

function hexOf<Brand extends string>(byteCount: number, brand: (hex: string) => Brand): Field<Brand> {
  const notation = `bstr .size ${byteCount}`;
  return {
    notation,
    read(value, path) {
      if (!(value instanceof Uint8Array) || value.length !== byteCount) throw malformed(path, notation);
      return brand(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex'));
    },
    write: (value) => Buffer.from(value, 'hex'),
  };
}

export const root: Field<Root> = hexOf(32, asRoot);
export const modelDigest: Field<ModelDigest> = hexOf(32, asModelDigest);
export const lineId: Field<LineId> = hexOf(16, asLineId);

const safeUint = uint(Number.MAX_SAFE_INTEGER);

export const version: Field<WeightsVersion> = {
  notation: 'uint .ge 1',
  read(value, path) {
    const number = safeUint.read(value, path);
    if (number === 0) throw malformed(path, 'uint .ge 1');
    return asWeightsVersion(number);
  },
  write: safeUint.write,
};

export const agentId: Field<AgentId> = {
  notation: 'tstr .regexp "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"',
  read(value, path) {
    if (typeof value !== 'string' || !isAgentId(value)) throw malformed(path, 'an agent id');
    return value;
  },
  write: (value) => value,
};

export const flag: Field<boolean> = {
  notation: 'bool',
  read(value, path) {
    if (typeof value !== 'boolean') throw malformed(path, 'bool');
    return value;
  },
  write: (value) => value,
};

/** One of a closed set of words. */
export function word<const Words extends readonly string[]>(...words: Words): Field<Words[number]> {
  const notation = words.map((each) => `"${each}"`).join(' / ');
  return {
    notation,
    read(value, path) {
      const known = words.find((each) => each === value);
      if (known === undefined) throw malformed(path, notation);
      return known;
    },
    write: (value) => value,
  };
}

export function optional<Value>(field: Field<Value>): Field<Value | null> {
  return {
    notation: `${field.notation} / nil`,
    read: (value, path) => (value === null ? null : field.read(value, path)),
    write: (value) => (value === null ? null : field.write(value)),
  };
}

export function list<Value>(item: Field<Value>, countMax: number): Field<readonly Value[]> {
  const notation = `[0*${countMax} (${item.notation})]`;
  return {
    notation,
    read(value, path) {
      if (!Array.isArray(value) || value.length > countMax) throw malformed(path, notation);
      return value.map((each: unknown, i) => item.read(each, `${path}[${i}]`));
    },
    write: (value) => value.map((each) => item.write(each)),
  };
}

export type Fields = Readonly<Record<string, Field<never> | Field<unknown>>>;

/** The values of a record of fields. */
export type ValuesOf<F> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

/** A fixed run of named fields, on the wire an array in the order of the keys. */
export function tuple<const F extends Record<string, Field<unknown>>>(fields: F): Field<ValuesOf<F>> {
  const entries = Object.entries(fields);
  const notation = `[${entries.map(([name, field]) => `${name}: ${field.notation}`).join(', ')}]`;
  return {
    notation,
    read(value, path) {
      if (!Array.isArray(value) || value.length !== entries.length) {
        throw malformed(path, `an array of ${entries.length} fields`);
      }
      const values = entries.map(([name, field], i) => [name, field.read(value[i], `${path}.${name}`)]);
      return Object.fromEntries(values) as ValuesOf<F>;
    },
    write: (value) => entries.map(([name, field]) => field.write(value[name])),
  };
}
