/**
 * One squashed delta against the same versions one by one, as agents take them: the same weights to the bit, whatever
 * formats their values came in, and the way back to where they began. The versions lie in a real log.
 */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { it } from 'node:test';
import { applyDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { asWeightsVersion, type WeightsVersion } from '@freshet/protocol/ids';
import { VALUE_FORMATS, type ValueFormat } from '@freshet/protocol/payload/value-format';
import fc from 'fast-check';
import { ShadowPublisher } from '../../trainer/core/shadow-publisher.ts';
import { SquashedRun } from '../../trainer/core/squash.ts';
import { VersionLog } from '../../trainer/history/version-log.ts';
import { note, xorshift } from '../support/hub-model.ts';
import '../support/seed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { modelOfShapes, positionOf } from '../support/tiny-model.ts';
import { assertSameBits } from '../support/weights.ts';

const MODEL = modelOfShapes([[40], [], [0, 3], [25]]);
const formats = fc.array(fc.constantFrom(...VALUE_FORMATS), { minLength: 4, maxLength: 4 });

/** Versions as a trainer publishes them, with another density and other formats each time it is started anew. */
const runs = fc.array(
  fc.record({
    formats,
    density: fc.double({ min: 0.01, max: 1, noNaN: true }),
    publishCount: fc.integer({ min: 1, max: 5 }),
    /** Some changes there are and back: every third step takes the weights where they were. */
    returns: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);

interface Run {
  readonly formats: readonly ValueFormat[];
  readonly density: number;
  readonly publishCount: number;
  readonly returns: boolean;
}

/** With keyframes at every fourth version. */
function openLog(path: string): VersionLog {
  return VersionLog.open(path, { clock: () => 0, keyframeEvery: 4 });
}

/** Appends all versions of `drawn` to `log`. */
function publishAll(log: VersionLog, drawn: readonly Run[], drawnSeed: number): void {
  const random = xorshift(drawnSeed);
  const weights = () => Float32Array.from({ length: MODEL.elementCount }, () => random() / 2 ** 32 - 0.5);
  const initial = weights();
  log.setModel(MODEL);
  log.appendSnapshot(positionOf(MODEL, 1, initial), initial, note);
  for (const { formats: names, density, publishCount, returns } of drawn) {
    const before = log.headWeights().slice();
    const publisher = new ShadowPublisher(before, MODEL, { density, formats: names });
    for (let i = 0; i < publishCount; i++) {
      const trained = returns && i % 3 === 2 ? before : weights();
      const base = log.head()!.version;
      const next = asWeightsVersion(base + 1);
      const { payload, root } = publisher.publish(trained, next);
      log.appendDelta({ base, next, root, payload, note });
    }
  }
}

/** The weights of each version, as an agent gets them by the chain; index 0 is version 1. */
function chainOf(log: VersionLog): Float32Array[] {
  const weights = [log.weightsOf(asWeightsVersion(1))];
  for (const { payload } of log.deltasFrom(asWeightsVersion(1))!) {
    const next = weights.at(-1)!.slice();
    applyDelta(next, decodeDeltaPayload(payload, next, MODEL));
    weights.push(next);
  }
  return weights;
}

/** The payload of one delta from `base` to the head, made of what the log holds, a few bytes of it at a time. */
function squash(log: VersionLog, base: WeightsVersion): Uint8Array {
  const run = new SquashedRun(log.headWeights().slice(), MODEL);
  let reached = log.head()!.version;
  while (reached > base) {
    const undos = log.undos(reached, base, 100);
    assert.ok(undos.length > 0, `the log holds version ${reached}`);
    for (const undo of undos) run.takeBack(undo);
    reached = asWeightsVersion(reached - undos.length);
  }
  const payload = run.payload();
  assert.ok(payload !== null);
  return payload;
}

it('a squash is the chain bit for bit, and its undo leads back, from every version on', (test) => {
  const directory = temporaryDirectory(test);
  let fileCount = 0;
  fc.assert(
    fc.property(runs, fc.nat(), (drawn, drawnSeed) => {
      const log = openLog(join(directory, `${fileCount++}.db`));
      try {
        publishAll(log, drawn, drawnSeed);
        assertSquashes(log);
      } finally {
        log.close();
      }
    }),
    { numRuns: 40 },
  );
});

function assertSquashes(log: VersionLog): void {
  const chain = chainOf(log);
  assertSameBits(chain.at(-1)!, log.headWeights());
  for (const [i, agentWeights] of chain.slice(0, -2).entries()) {
    const version = asWeightsVersion(i + 1);
    const payload = squash(log, version);
    const weights = agentWeights.slice();
    const undo = applyDelta(weights, decodeDeltaPayload(payload, weights, MODEL));
    assertSameBits(weights, chain.at(-1)!, `from version ${version}`);
    const stored = encodeDeltaPayload(undo, weights, MODEL);
    applyDelta(weights, decodeDeltaPayload(stored, weights, MODEL));
    assertSameBits(weights, agentWeights, `back to version ${version}`);
  }
}

it('a squash leaves out what has changed there and back', (test) => {
  const log = openLog(join(temporaryDirectory(test), 'versions.db'));
  test.after(() => log.close());
  const exact = MODEL.tensors.map(() => 'f32' as const);
  publishAll(log, [{ formats: exact, density: 1, publishCount: 3, returns: true }], 1);
  // The first format, and no change.
  assert.deepEqual([...squash(log, asWeightsVersion(1))], [0, 0]);
});
