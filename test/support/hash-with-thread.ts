/**
 * A process that hashes with a second thread, and then has nothing left to do: `node hash-with-thread.ts UNTIL_LOST`. It
 * prints a `HashingOutcome`. With `true` it goes on until the thread is lost, and hashes once more.
 */
import { setImmediate } from 'node:timers/promises';
import { CHUNK_ELEMENTS, digestWeights, WeightsDigest } from '@freshet/protocol/digest';
import { asModelDigest, asWeightsVersion } from '@freshet/protocol/ids';
import { HashThread } from '@freshet/protocol/local/hash-thread';
import { HASHED_RANGES } from './die-while-hashing.ts';

export interface HashingOutcome {
  /** Roots that were not those of their weights. */
  readonly wrong: number;
  /** What was said about the loss of the thread, each time. */
  readonly lost: readonly string[];
}

const ROUNDS_MIN = 20;
const MODEL = asModelDigest('ab'.repeat(32));
const VERSION = asWeightsVersion(1);
const ELEMENT_COUNT = ((HASHED_RANGES - 1) * 512 + 1) * CHUNK_ELEMENTS;

async function hashOver(untilLost: boolean): Promise<HashingOutcome> {
  const lost: string[] = [];
  let wrong = 0;
  const weights = new Float32Array(new SharedArrayBuffer(4 * ELEMENT_COUNT));
  const indices = Uint32Array.from(weights, (_, i) => i);
  const thread = new HashThread((cause) => lost.push(String(cause)));
  const digest = new WeightsDigest(weights, MODEL, thread);
  const hash = (value: number) => {
    weights.fill(value);
    digest.update(indices);
    if (digest.root(VERSION) !== digestWeights(weights.slice(), MODEL, VERSION)) wrong++;
  };
  for (let round = 1; round <= ROUNDS_MIN || (untilLost && lost.length === 0); round++) {
    hash(round);
    await setImmediate();
  }
  hash(-1);
  return { wrong, lost };
}

console.log(JSON.stringify(await hashOver(process.argv[2] === 'true')));
