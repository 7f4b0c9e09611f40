/**
 * A process that has a store open: `node store-writer.ts PATH hold` says "open" and keeps it until it is killed;
 * `node store-writer.ts PATH write` commits one synthetic version after the other from wherever the store is, and
 * says "VERSION ROOT" after each commit. A failed commit is told as JSON, with what the store then is, and ends it.
 */
import { writeSync } from 'node:fs';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { digestWeights } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import { asWeightsVersion } from '@freshet/protocol/ids';
import {
  deltaBetween,
  LINE,
  nextSyntheticWeights,
  positionOf,
  syntheticWeights,
  tinyModel,
} from './tiny-model.ts';

export const WRITER_ELEMENTS = 3000;
export const WRITER_CHANGES = 40;
export const WRITER_MODEL = tinyModel(WRITER_ELEMENTS);
/** Small, so that keyframes and pruning happen all the time. */
export const WRITER_OPTIONS = { clock: Date.now, snapshotEvery: 7, keepVersions: 60 };

/** Synchronous: what has been said was true before anything else happened. */
const say = (line: string): void => void writeSync(1, `${line}\n`);

function write(path: string): void {
  const store = WeightStore.open(path, WRITER_OPTIONS);
  store.adoptModel(LINE, WRITER_MODEL);
  let version = store.head()?.version ?? 0;
  let weights: Float32Array = store.head() === null ? new Float32Array(0) : store.headWeights().slice();
  for (;;) {
    if (version === 0) {
      weights = syntheticWeights(WRITER_ELEMENTS, 1, WRITER_CHANGES);
      store.commitSnapshot(positionOf(WRITER_MODEL, 1, weights), weights);
    } else {
      const next = nextSyntheticWeights(weights, version, WRITER_CHANGES);
      commit(store, version, weights, next);
      weights = next;
    }
    version++;
    say(`${version} ${store.head()?.root}`);
  }
}

function commit(store: WeightStore, version: number, before: Float32Array, after: Float32Array): void {
  try {
    const outcome = store.commitDelta(deltaBetween(WRITER_MODEL, [version, before], [version + 1, after]));
    if (outcome.kind !== 'applied') throw new Error(`a delta was not applied but ${outcome.kind}`);
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    const memoryRoot = digestWeights(store.headWeights(), WRITER_MODEL.digest, asWeightsVersion(version));
    const previous = store.versions().at(-2)!.version;
    say(
      JSON.stringify({
        code: error.code,
        message: error.message,
        head: store.head(),
        memoryRoot,
        previousRoot: digestWeights(store.weightsOf(previous), WRITER_MODEL.digest, previous),
      }),
    );
    process.exit(error.exitCode);
  }
}

function hold(path: string): void {
  WeightStore.open(path, WRITER_OPTIONS);
  say('open');
  setInterval(() => undefined, 2 ** 30);
}

const [script, path, mode] = process.argv.slice(1);
if (script === import.meta.filename && path !== undefined) {
  if (mode === 'hold') hold(path);
  else write(path);
}
