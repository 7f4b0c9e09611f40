/**
 * Streams of digits whose distribution changes, after those that continual learning is measured with: rotated MNIST
 * (Lopez-Paz and Ranzato 2017), permuted MNIST (Goodfellow et al. 2013), Split-MNIST in its class-incremental form
 * (Zenke et al. 2017; van de Ven and Tolias 2019), and a burst of wrong labels.
 */
import { type Images, mislabelled, permuted, randomOrder, reordered, rotated } from './images.ts';
import type { Stream } from './stream.ts';

/** Training and held-out images; the first `initialCount` of the former are there from the beginning. */
export interface DriftInput {
  readonly train: Images;
  readonly test: Images;
  readonly initialCount: number;
  readonly seed: number;
}

const ROTATION_DEGREES = 90;
const PERMUTED_TASKS = 3;
const CLASSES_PER_TASK = 2;

/** As the paper has it: nothing changes. */
export function stationary({ train, test, initialCount }: DriftInput): Stream {
  return {
    name: 'mnist',
    images: train,
    initialCount,
    phases: [{ name: 'stream', start: initialCount }],
    tests: [{ name: 'test', images: test }],
  };
}

/** Upright for the first third, then turning evenly up to 90 degrees, which the last third stays at. */
export function rotatedGradually({ train, test, initialCount }: DriftInput): Stream {
  const [begin, end] = thirds(train.count, initialCount);
  const degreesOf = (index: number): number =>
    ROTATION_DEGREES * Math.min(1, Math.max(0, (index - begin) / (end - begin)));
  return {
    name: 'rotated-gradual',
    images: rotated(train, degreesOf),
    initialCount,
    phases: [
      { name: 'upright', start: initialCount },
      { name: 'turning', start: begin },
      { name: 'turned', start: end },
    ],
    tests: rotationTests(test),
  };
}

/** Upright for the first half, turned by 90 degrees from one image to the next. */
export function rotatedAbruptly({ train, test, initialCount }: DriftInput): Stream {
  const half = initialCount + Math.floor((train.count - initialCount) / 2);
  return {
    name: 'rotated-abrupt',
    images: rotated(train, (index) => (index < half ? 0 : ROTATION_DEGREES)),
    initialCount,
    phases: [
      { name: 'upright', start: initialCount },
      { name: 'turned', start: half },
    ],
    tests: rotationTests(test),
  };
}

/** Three tasks of equal length: the pixels as they are, then in two other orders. */
export function permutedTasks({ train, test, initialCount, seed }: DriftInput): Stream {
  const pixels = train.side * train.side;
  const permutations = [null, randomOrder(pixels, seed), randomOrder(pixels, seed + 1)];
  const starts = Array.from(
    { length: PERMUTED_TASKS },
    (_, task) => initialCount + Math.floor(((train.count - initialCount) * task) / PERMUTED_TASKS),
  );
  const taskOf = (index: number): number => starts.filter((start) => start <= index).length - 1;
  return {
    name: 'permuted',
    images: permuted(train, (index) => permutations[Math.max(0, taskOf(index))]!),
    initialCount,
    phases: starts.map((start, task) => ({ name: `order ${task + 1}`, start })),
    tests: permutations.map((permutation, task) => ({
      name: `order ${task + 1}`,
      images: permuted(test, () => permutation),
    })),
  };
}

/** Digits 0 and 1, then 2 and 3, and so on; each image once, and no word of where a task ends. Nothing is there before. */
export function split({ train, test, seed }: DriftInput): Stream {
  const order = randomOrder(train.count, seed);
  const taskOf = (images: Images, index: number): number =>
    Math.floor(images.label(index) / CLASSES_PER_TASK);
  const taskCount = Math.ceil(train.classCount / CLASSES_PER_TASK);
  const tasks = Array.from({ length: taskCount }, (_, task) => ({
    name: `digits ${CLASSES_PER_TASK * task}–${CLASSES_PER_TASK * task + CLASSES_PER_TASK - 1}`,
    indices: order.filter((index) => taskOf(train, index) === task),
    tested: Uint32Array.from({ length: test.count }, (_, i) => i).filter((i) => taskOf(test, i) === task),
  }));
  let start = 0;
  const phases = tasks.map(({ name, indices }) => {
    const phase = { name, start };
    start += indices.length;
    return phase;
  });
  return {
    name: 'split',
    images: reordered(train, Uint32Array.from(tasks.flatMap(({ indices }) => [...indices]))),
    initialCount: 0,
    phases,
    tests: [
      ...tasks.map(({ name, tested }) => ({ name, images: reordered(test, tested) })),
      { name: 'all digits', images: test },
    ],
  };
}

/** Wrong labels for half of the images in the middle tenth of the stream. */
export function labelNoise({ train, test, initialCount, seed }: DriftInput): Stream {
  const length = train.count - initialCount;
  const begin = initialCount + Math.floor(0.45 * length);
  const end = initialCount + Math.floor(0.55 * length);
  const isNoisy = (index: number): boolean => index >= begin && index < end && (index & 1) === 0;
  return {
    name: 'label-noise',
    images: mislabelled(train, isNoisy, seed),
    initialCount,
    phases: [
      { name: 'clean', start: initialCount },
      { name: 'half wrong', start: begin },
      { name: 'clean again', start: end },
    ],
    tests: [{ name: 'test', images: test }],
  };
}

function thirds(count: number, initialCount: number): [number, number] {
  const third = Math.floor((count - initialCount) / 3);
  return [initialCount + third, initialCount + 2 * third];
}

function rotationTests(test: Images): Stream['tests'] {
  return [
    { name: 'upright', images: test },
    { name: 'turned', images: rotated(test, () => ROTATION_DEGREES) },
  ];
}
