/**
 * Many deltas in a row, each really encoded, sent through the codec, decoded and applied: at every version the
 * replica's root is compared with the publisher's, and at the end its weights.
 */
import { digestWeights } from '@freshet/protocol/digest';
import { asWeightsVersion } from '@freshet/protocol/ids';
import type { ValueFormat } from '@freshet/protocol/payload/value-format';
import { createRandom } from '@freshet/trainer/core/random';
import { ShadowPublisher } from '@freshet/trainer/core/shadow-publisher';
import { Drift } from './drift.ts';
import { FIRST_VERSION, messageOf, wireBytesOf } from './publication.ts';
import { Replica } from './replica.ts';
import type { Trajectory } from './trajectory.ts';
import type { ChainResult } from './wire-report.ts';

export interface ChainOptions {
  readonly format: ValueFormat;
  readonly deltaCount: number;
  readonly seed: number;
}

const DENSITY = 1e-3;

/** Publishes from the last trained weights of `trajectory` on, which drift. */
export function runChain(
  { name, model, initial, trained }: Trajectory,
  { format, deltaCount, seed }: ChainOptions,
): ChainResult {
  const formats = model.tensors.map(() => format);
  const publisher = new ShadowPublisher(initial, model, { density: DENSITY, formats });
  const replica = new Replica(initial, model);
  const drift = new Drift(model, createRandom(seed), { channelSpread: 0 });
  let weights = trained.at(-1) ?? initial;
  let baseVersion = FIRST_VERSION;
  let rootsEqual = 0;
  let bytes = 0;
  while (baseVersion < FIRST_VERSION + deltaCount) {
    weights = drift.step(weights);
    const next = asWeightsVersion(baseVersion + 1);
    const { payload, root, changedCount } = publisher.publish(weights, next);
    // Nothing moved by as much as the format can tell: the trainer publishes no version then.
    if (changedCount === 0) continue;
    const message = messageOf({ model, baseVersion, root }, payload, null);
    const applied = replica.apply(message);
    if (applied.root === root && applied.announced === root) rootsEqual++;
    bytes += wireBytesOf(message);
    baseVersion = next;
  }
  return {
    model: name,
    format,
    deltaCount,
    rootsEqual,
    // The publisher's own root came about step by step; this one, from scratch, depends on the replica's weights only.
    isIdentical: digestWeights(replica.weights, model.digest, baseVersion) === publisher.root(baseVersion),
    bytes,
  };
}
