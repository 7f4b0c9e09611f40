/**
 * Ways to damage bytes that were valid, for fuzzing decoders: random bytes rarely get past the first check, a valid
 * input with one wrong bit, a missing tail or another's tail does.
 */
import fc from 'fast-check';

/** Returns a damaged copy of `bytes`; `other` is a second valid input to splice with. */
export type Damage = (bytes: Uint8Array, other: Uint8Array) => Uint8Array;

const flipBits = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, mask]): Damage => {
  return (bytes) => {
    // Not `slice()`: that of a Buffer is a view, and would damage the valid input as well.
    const copy = new Uint8Array(bytes);
    if (copy.length > 0) copy[at % copy.length]! ^= mask;
    return copy;
  };
});

const truncate = fc.nat().map(
  (at): Damage =>
    (bytes) =>
      bytes.slice(0, at % (bytes.length + 1)),
);

const splice = fc.tuple(fc.nat(), fc.nat()).map(([cut, join]): Damage => {
  return (bytes, other) =>
    Buffer.concat([bytes.subarray(0, cut % (bytes.length + 1)), other.subarray(join % (other.length + 1))]);
});

const insert = fc
  .tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 12 }))
  .map(([at, extra]): Damage => {
    return (bytes) => {
      const position = at % (bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, position), extra, bytes.subarray(position)]);
    };
  });

const replaceAll = fc.uint8Array({ maxLength: 64 }).map(
  (bytes): Damage =>
    () =>
      bytes,
);

function several(one: fc.Arbitrary<Damage>, countMax: number): fc.Arbitrary<Damage> {
  return fc.array(one, { minLength: 1, maxLength: countMax }).map(
    (damages): Damage =>
      (bytes, other) =>
        damages.reduce((current, apply) => apply(current, other), bytes),
  );
}

/** One to three damages, one after the other. */
export const damage: fc.Arbitrary<Damage> = several(
  fc.oneof(flipBits, truncate, splice, insert, replaceAll),
  3,
);

/** One or two wrong bytes: lengths and structure mostly stay, so that it gets past the first checks. */
export const mildDamage: fc.Arbitrary<Damage> = several(flipBits, 2);
