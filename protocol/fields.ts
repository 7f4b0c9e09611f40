/**
 * Field types of the wire messages. A message is a MessagePack array of positional fields, so each field here knows
 * how its value looks on the wire, what it accepts from a peer, and how PROTOCOL.md writes it.
 */
import { FreshetError } from './errors.ts';
import {
  type AgentId,
  asLineId,
  asModelDigest,
  asPublicKey,
  asRoot,
  asSampleId,
  asSignature,
  asWeightsVersion,
  isAgentId,
  type LineId,
  type ModelDigest,
  type Proof,
  type PublicKey,
  type Root,
  type SampleId,
  type Signature,
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

/** Integer from `min` to `max`. */
export function uint(max: number, min = 0): Field<number> {
  const notation = min === 0 ? `uint .le ${max}` : `${min}..${max}`;
  return {
    notation,
    read(value, path) {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
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

const ROOT_BYTES = 32;
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const TRACEPARENT_BYTES = 26;

export const root: Field<Root> = hexOf(ROOT_BYTES, asRoot);
export const modelDigest: Field<ModelDigest> = hexOf(32, asModelDigest);
export const lineId: Field<LineId> = hexOf(16, asLineId);
export const sampleId: Field<SampleId> = hexOf(16, asSampleId);
export const publicKey: Field<PublicKey> = hexOf(PUBLIC_KEY_BYTES, asPublicKey);
export const signature: Field<Signature> = hexOf(SIGNATURE_BYTES, asSignature);

/** The root of a version, with the publisher's signature behind it where there is one. */
export const proof: Field<Proof> = {
  notation: `bstr .size ${ROOT_BYTES} / bstr .size ${ROOT_BYTES + SIGNATURE_BYTES}`,
  read(value, path) {
    if (!(value instanceof Uint8Array)) throw malformed(path, 'a proof');
    if (value.length === ROOT_BYTES) return { root: root.read(value, path), signature: null };
    return {
      root: root.read(value.subarray(0, ROOT_BYTES), path),
      signature: signature.read(value.subarray(ROOT_BYTES), path),
    };
  },
  write: (value) => Buffer.from(value.root + (value.signature ?? ''), 'hex'),
};

/** W3C trace context, in the binary form: version, trace id, parent id and flags, one after the other. */
export const traceparent: Field<string | null> = optional(hexOf(TRACEPARENT_BYTES, (hex) => hex));

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

/** One of a closed set of words, as its number. */
export function choice<const Words extends readonly string[]>(...words: Words): Field<Words[number]> {
  const notation = `&(${words.map((each, i) => `${each}: ${i}`).join(', ')})`;
  return {
    notation,
    read(value, path) {
      const known = typeof value === 'number' ? words[value] : undefined;
      if (known === undefined) throw malformed(path, notation);
      return known;
    },
    write: (value) => words.indexOf(value),
  };
}

export function optional<Value>(field: Field<Value>): Field<Value | null> {
  return {
    notation: `${field.notation} / nil`,
    read: (value, path) => (value === null ? null : field.read(value, path)),
    write: (value) => (value === null ? null : field.write(value)),
  };
}

/**
 * A field that may be absent at the end of a message, which then means `absent`; it is left out when it has that value
 * and nothing follows. Only fields of the same kind come after it.
 */
export function trailing<Value>(
  field: Field<Value>,
  absent: NoInfer<Value>,
): Field<Value> & { absent: Value } {
  return {
    notation: field.notation,
    absent,
    read: (value, path) => field.read(value, path),
    write: (value) => field.write(value),
  };
}

/** A number, or bytes of which the value read is a view on the frame. */
export function numberOrBytes(number: Field<number>, bulk: Field<Uint8Array>): Field<number | Uint8Array> {
  const notation = `${number.notation} / ${bulk.notation}`;
  return {
    notation,
    read(value, path) {
      if (typeof value === 'number') return number.read(value, path);
      if (value instanceof Uint8Array) return bulk.read(value, path);
      throw malformed(path, notation);
    },
    write: (value) => (typeof value === 'number' ? number.write(value) : bulk.write(value)),
  };
}

/** `countMin` to `countMax` items. */
export function list<Value>(item: Field<Value>, countMax: number, countMin = 0): Field<readonly Value[]> {
  const notation = `[${countMin}*${countMax} (${item.notation})]`;
  return {
    notation,
    read(value, path) {
      const isList = Array.isArray(value) && value.length >= countMin && value.length <= countMax;
      if (!isList) throw malformed(path, notation);
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
