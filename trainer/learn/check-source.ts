/** Whether the samples that a recipe opens are what it announces, as far as their first ones tell. */
import { FreshetError } from '@freshet/protocol/errors';
import { invalidField, shown } from './recipe-error.ts';
import { SampleReader, type SampleTaker } from './sample-reader.ts';
import type { SampleSet, SampleSource, SourceDefinition } from './sample-source.ts';

/** Batches address samples with 32 bits. */
const COUNT_MAX = 2 ** 32;

const FIELDS = ['train', 'test', 'initialCount', 'repeats'];

/**
 * The source with what is missing filled in. Samples after the first are checked as they are read.
 * @throws CONFIG_INVALID, SAMPLES_INVALID
 */
export function checkSource(source: SourceDefinition, taker: SampleTaker): SampleSource {
  if (typeof source !== 'object' || source === null || source instanceof Promise) {
    throw invalidField(
      'openSource',
      'has to return { train, test, initialCount, repeats }, each of them optional, and no promise: what takes ' +
        'time can be awaited at the top level of the recipe module',
    );
  }
  refuseUnknown(source);
  const train = checkSet('train', source.train ?? null, taker);
  const test = checkSet('test', source.test ?? null, taker);
  const { initialCount = train?.count ?? 0, repeats = false } = source;
  const countMax = train?.count ?? 0;
  if (!Number.isInteger(initialCount) || initialCount < 0 || initialCount > countMax) {
    throw invalidField(
      'openSource',
      `gives initialCount ${shown(initialCount)}; it has to be an integer from 0 to the ${countMax} samples of train`,
    );
  }
  if (typeof repeats !== 'boolean') {
    throw invalidField('openSource', `gives repeats ${shown(repeats)}; it has to be true or false`);
  }
  return { train, test, initialCount, repeats };
}

/** A field that is misspelled would be as good as left out. */
function refuseUnknown(source: SourceDefinition): void {
  const unknown = Object.keys(source).find((name) => !FIELDS.includes(name));
  if (unknown === undefined) return;
  throw invalidField(
    'openSource',
    `gives ${shown(unknown)}, which is not known; there are ${FIELDS.join(', ')}`,
  );
}

function checkSet(which: 'train' | 'test', set: SampleSet | null, taker: SampleTaker): SampleSet | null {
  if (set === null) return null;
  if (typeof set !== 'object' || typeof set.sample !== 'function') {
    throw invalidField('openSource', `gives a ${which} set without sample(index); it has to be a SampleSet`);
  }
  if (!Number.isInteger(set.count) || set.count < 1 || set.count > COUNT_MAX) {
    throw invalidField(
      'openSource',
      `gives a ${which} set with count ${shown(set.count)}; it has to be an integer from 1 to ${COUNT_MAX}; ` +
        'leave the set out where there is none',
    );
  }
  checkFirst(which, set, taker);
  return set;
}

/** What is wrong with the first sample is most likely wrong with all: not the samples' fault but the recipe's. */
function checkFirst(which: 'train' | 'test', set: SampleSet, taker: SampleTaker): void {
  try {
    new SampleReader(taker, set).read(0);
  } catch (error) {
    if (error instanceof FreshetError && error.code === 'SAMPLES_INVALID') {
      throw invalidField('openSource', `gives a ${which} set whose ${error.message}`, error);
    }
    throw error;
  }
}
