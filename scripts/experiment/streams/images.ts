/**
 * Labelled images by index, and what experiments do to them: pure functions that give a view, so that a stream of 60,000
 * turned digits takes no memory of its own.
 */
import { assert } from '@freshet/protocol/assert';
import { createRandom, shuffle } from '@freshet/trainer/core/random';

export interface Images {
  readonly count: number;
  readonly classCount: number;
  /** Pixels in a row, and rows. */
  readonly side: number;
  /** Writes the side × side pixels of image `index`, in [0, 1], into `target` from `offset` on. */
  copyInput(index: number, target: Float32Array, offset: number): void;
  label(index: number): number;
}

/** Images `indices`, in that order. */
export function reordered(images: Images, indices: Uint32Array): Images {
  return {
    ...images,
    count: indices.length,
    copyInput: (index, target, offset) => images.copyInput(at(indices, index), target, offset),
    label: (index) => images.label(at(indices, index)),
  };
}

/** Image i turned counterclockwise by `degreesOf(i)` about its middle, bilinearly; what comes from outside is black. */
export function rotated(images: Images, degreesOf: (index: number) => number): Images {
  const { side } = images;
  const original = new Float32Array(side * side);
  return {
    ...images,
    copyInput(index, target, offset) {
      images.copyInput(index, original, 0);
      rotate(original, side, degreesOf(index), target, offset);
    },
  };
}

/** The pixels of image i in the order `permutationOf(i)`: pixel p shows what was at permutation[p]. */
export function permuted(images: Images, permutationOf: (index: number) => Uint32Array | null): Images {
  const { side } = images;
  const original = new Float32Array(side * side);
  return {
    ...images,
    copyInput(index, target, offset) {
      const permutation = permutationOf(index);
      if (permutation === null) {
        images.copyInput(index, target, offset);
        return;
      }
      images.copyInput(index, original, 0);
      for (let pixel = 0; pixel < original.length; pixel++) {
        target[offset + pixel] = original[permutation[pixel]!]!;
      }
    },
  };
}

/** Where `isNoisy(i)`, image i has a class drawn evenly from all others: the same one whenever it is asked for. */
export function mislabelled(images: Images, isNoisy: (index: number) => boolean, seed: number): Images {
  const random = createRandom(seed);
  const shifts = Uint8Array.from(
    { length: images.count },
    () => 1 + random.integerBelow(images.classCount - 1),
  );
  return {
    ...images,
    label(index) {
      const label = images.label(index);
      return isNoisy(index) ? (label + shifts[index]!) % images.classCount : label;
    },
  };
}

/** A random order of `count` things that depends on `seed` only. */
export function randomOrder(count: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  shuffle(order, createRandom(seed));
  return order;
}

function rotate(
  source: Float32Array,
  side: number,
  degrees: number,
  target: Float32Array,
  offset: number,
): void {
  const angle = (degrees * Math.PI) / 180;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const middle = (side - 1) / 2;
  const pixel = (row: number, column: number): number =>
    row >= 0 && row < side && column >= 0 && column < side ? source[row * side + column]! : 0;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      // Where the pixel was before; rows grow downwards.
      const x = cos * (column - middle) - sin * (row - middle) + middle;
      const y = sin * (column - middle) + cos * (row - middle) + middle;
      const left = Math.floor(x);
      const top = Math.floor(y);
      const right = x - left;
      const down = y - top;
      target[offset + row * side + column] =
        (1 - down) * ((1 - right) * pixel(top, left) + right * pixel(top, left + 1)) +
        down * ((1 - right) * pixel(top + 1, left) + right * pixel(top + 1, left + 1));
    }
  }
}

function at(indices: Uint32Array, index: number): number {
  assert(index >= 0 && index < indices.length, 'an image of the view');
  return indices[index]!;
}
