/** Streams of the experiments: what is turned, reordered and mislabelled is so, and the rest is as it was. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import {
  type DriftInput,
  labelNoise,
  permutedTasks,
  rotatedAbruptly,
  rotatedGradually,
  split,
} from '../../scripts/experiment/streams/drifting.ts';
import {
  type Images,
  mislabelled,
  permuted,
  randomOrder,
  reordered,
  rotated,
} from '../../scripts/experiment/streams/images.ts';
import { phaseAt } from '../../scripts/experiment/streams/stream.ts';
import { seed } from '../support/seed.ts';

const SIDE = 4;
const PIXELS = SIDE * SIDE;

/** Image i has pixel p = i + p / 100, and class i mod 10. */
const images = (count: number): Images => ({
  count,
  classCount: 10,
  side: SIDE,
  copyInput(index, target, offset) {
    for (let pixel = 0; pixel < PIXELS; pixel++) target[offset + pixel] = index + pixel / 100;
  },
  label: (index) => index % 10,
});

function inputOf(from: Images, index: number): number[] {
  const target = new Float32Array(PIXELS + 2).fill(-1);
  from.copyInput(index, target, 1);
  assert.deepEqual([target[0], target[PIXELS + 1]], [-1, -1], 'writes its own pixels only');
  return Array.from(target.subarray(1, PIXELS + 1), (value) => Math.round(1e4 * value) / 1e4);
}

const drift = (): DriftInput => ({ train: images(100), test: images(30), initialCount: 40, seed });

describe('images', () => {
  it('turned by 90 degrees are exactly that', () => {
    const turned = inputOf(
      rotated(images(3), () => 90),
      0,
    );
    const original = inputOf(images(3), 0);
    for (let row = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++) {
        // Counterclockwise: what was the last column is the first row.
        assert.equal(turned[row * SIDE + column], original[column * SIDE + (SIDE - 1 - row)]);
      }
    }
  });

  it('turned by 0 or 360 degrees are as they were', () => {
    for (const degrees of [0, 360]) {
      const turned = inputOf(
        rotated(images(3), () => degrees),
        2,
      );
      for (const [pixel, value] of inputOf(images(3), 2).entries()) {
        assert.ok(Math.abs(value - turned[pixel]!) < 1e-3);
      }
    }
  });

  it('keep their pixels in another order', () => {
    const order = randomOrder(PIXELS, seed);
    const moved = inputOf(
      permuted(images(3), () => order),
      1,
    );
    const original = inputOf(images(3), 1);
    assert.deepEqual(
      moved,
      Array.from(order, (from) => original[from]),
    );
    assert.deepEqual(
      [...order].sort((a, b) => a - b),
      Array.from({ length: PIXELS }, (_, i) => i),
    );
  });

  it('have wrong labels where they are noisy, the same ones each time', () => {
    const noisy = mislabelled(images(1000), (index) => index % 2 === 0, seed);
    for (let i = 0; i < 1000; i++) {
      assert.equal(noisy.label(i) !== i % 10, i % 2 === 0);
      assert.equal(noisy.label(i), noisy.label(i));
    }
  });

  it('come in another order with their labels', () => {
    const view = reordered(images(10), Uint32Array.of(7, 2));
    assert.equal(view.count, 2);
    assert.deepEqual([view.label(0), view.label(1)], [7, 2]);
    assert.deepEqual(inputOf(view, 1), inputOf(images(10), 2));
  });
});

describe('drifting streams', () => {
  it('turn gradually in the middle third, abruptly in the middle', () => {
    const gradual = rotatedGradually(drift());
    assert.deepEqual(
      gradual.phases.map(({ start }) => start),
      [40, 60, 80],
    );
    const plain = images(100);
    assert.deepEqual(inputOf(gradual.images, 59), inputOf(plain, 59));
    assert.notDeepEqual(inputOf(gradual.images, 70), inputOf(plain, 70));
    const turned = rotated(plain, () => 90);
    assert.deepEqual(inputOf(gradual.images, 85), inputOf(turned, 85));

    const abrupt = rotatedAbruptly(drift());
    assert.deepEqual(inputOf(abrupt.images, 69), inputOf(plain, 69));
    assert.deepEqual(inputOf(abrupt.images, 70), inputOf(turned, 70));
  });

  it('change the order of pixels twice, and are tested on all three', () => {
    const stream = permutedTasks(drift());
    assert.deepEqual(
      stream.phases.map(({ start }) => start),
      [40, 60, 80],
    );
    assert.deepEqual(inputOf(stream.images, 45), inputOf(images(100), 45));
    const [first, second, third] = stream.tests.map((test) => inputOf(test.images, 3));
    assert.deepEqual(first, inputOf(images(30), 3));
    assert.notDeepEqual(second, first);
    assert.notDeepEqual(third, second);
  });

  it('bring two classes after another, each image once', () => {
    const stream = split(drift());
    assert.equal(stream.images.count, 100);
    assert.equal(stream.initialCount, 0);
    for (let i = 0; i < 100; i++) {
      assert.equal(Math.floor(stream.images.label(i) / 2), phaseAt(stream, i));
    }
    const seen = new Set(Array.from({ length: 100 }, (_, i) => inputOf(stream.images, i)[0]));
    assert.equal(seen.size, 100);
    assert.deepEqual(
      stream.tests.map(({ images: { count } }) => count),
      [6, 6, 6, 6, 6, 30],
    );
  });

  it('have half of the labels wrong in the burst only', () => {
    const stream = labelNoise(drift());
    const wrong = Array.from({ length: 100 }, (_, i) => i).filter((i) => stream.images.label(i) !== i % 10);
    assert.deepEqual(wrong, [68, 70, 72]);
    assert.deepEqual(
      stream.phases.map(({ start }) => start),
      [40, 67, 73],
    );
  });
});
