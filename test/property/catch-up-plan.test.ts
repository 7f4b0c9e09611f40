/**
 * Whatever the line of versions: the plan leads to the head bit for bit, and no other way would have cost fewer
 * bytes. The costs are checked against frames that the codec really encodes.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { downstreamCodec } from '@freshet/protocol/codec';
import { applyDelta, composeDeltas, type SparseDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { digestWeights, modelTag } from '@freshet/protocol/digest';
import { asModelDigest, asRoot, asWeightsVersion, type Position } from '@freshet/protocol/ids';
import { SNAPSHOT_CHUNK_BYTES } from '@freshet/protocol/limits';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import fc from 'fast-check';
import { type CatchUpHistory, planCatchUp } from '../../trainer/core/catch-up-plan.ts';
import {
  deltaWireBytes,
  snapshotChunkCount,
  snapshotWireBytes,
  webSocketHeaderBytes,
} from '../../trainer/core/frame-bytes.ts';
import { deltaPayloadBytes } from '../../trainer/core/squash.ts';
import '../support/seed.ts';
import { assertSameBits, deltaFor, weights } from '../support/weights.ts';

const modelDigest = asModelDigest('5f'.repeat(32));
const root = asRoot('ab'.repeat(32));

interface Line {
  readonly weightsByVersion: readonly Float32Array[];
  readonly deltas: readonly SparseDelta[];
  readonly firstVersion: number;
}

const line: fc.Arbitrary<Line> = fc.integer({ min: 1, max: 60 }).chain((elementCount) =>
  fc
    .tuple(
      weights(elementCount, elementCount),
      fc.array(deltaFor(elementCount), { maxLength: 12 }),
      fc.constantFrom(1, 120, 250, 65_530, 2 ** 32 - 4),
    )
    .map(([first, deltas, firstVersion]) => {
      const weightsByVersion = [first];
      for (const delta of deltas) {
        const next = weightsByVersion.at(-1)!.slice();
        applyDelta(next, delta);
        weightsByVersion.push(next);
      }
      return { weightsByVersion, deltas, firstVersion };
    }),
);

function historyOf({ weightsByVersion, deltas, firstVersion }: Line): CatchUpHistory {
  const headWeights = weightsByVersion.at(-1)!;
  const rootAt = (index: number) =>
    digestWeights(weightsByVersion[index]!, modelDigest, asWeightsVersion(firstVersion + index));
  const payloadsFrom = (base: number) => deltas.slice(base - firstVersion).map(encodeDeltaPayload);
  return {
    modelDigest,
    head: { version: asWeightsVersion(firstVersion + deltas.length), root: rootAt(deltas.length) },
    headWeights,
    rootOf: (version) => (weightsByVersion[version - firstVersion] ? rootAt(version - firstVersion) : null),
    deltaBytesFrom: (base) => payloadsFrom(base).map(({ length }) => length),
    deltaPayloadsFrom: payloadsFrom,
  };
}

function positionAt(history: CatchUpHistory, version: number): Position {
  return { version: asWeightsVersion(version), root: history.rootOf(asWeightsVersion(version))! };
}

/** Bytes of the frames that really leave the hub. */
function bytesOf(messages: readonly DownstreamMessage[]): number {
  return messages
    .map((message) => downstreamCodec.encode(message).length)
    .reduce((sum, bytes) => sum + webSocketHeaderBytes(bytes) + bytes, 0);
}

function deltaMessage(base: number, next: number, payload: Uint8Array): DownstreamMessage {
  const tag = modelTag(modelDigest);
  return {
    type: 'delta',
    modelTag: tag,
    base: asWeightsVersion(base),
    next: asWeightsVersion(next),
    root,
    payload,
  };
}

function snapshotMessages(version: number, elementCount: number): DownstreamMessage[] {
  const bytes = new Uint8Array(elementCount * 4);
  const chunkCount = Math.ceil(bytes.length / SNAPSHOT_CHUNK_BYTES);
  const begin = { type: 'snapshotBegin', version: asWeightsVersion(version), root, elementCount, chunkCount };
  const chunks = Array.from({ length: chunkCount }, (_, index) => ({
    type: 'snapshotChunk',
    version: asWeightsVersion(version),
    index,
    bytes: bytes.subarray(index * SNAPSHOT_CHUNK_BYTES, (index + 1) * SNAPSHOT_CHUNK_BYTES),
  }));
  return [begin, ...chunks] as DownstreamMessage[];
}

test('every plan leads to the head, at the least of the three costs', () => {
  fc.assert(
    fc.property(line, fc.nat(), (drawn, pick) => {
      const history = historyOf(drawn);
      const at = pick % drawn.weightsByVersion.length;
      const base = drawn.firstVersion + at;
      const headVersion = history.head.version;
      const plan = planCatchUp(positionAt(history, base), history);
      if (at === drawn.deltas.length) {
        assert.deepEqual(plan, { kind: 'current' });
        return;
      }
      assert.ok(plan.kind !== 'current');

      const run = drawn.deltas.slice(at);
      const squashed = encodeDeltaPayload(run.reduce(composeDeltas));
      const costs = {
        chain: bytesOf(
          run.map((delta, i) => deltaMessage(base + i, base + i + 1, encodeDeltaPayload(delta))),
        ),
        squash: bytesOf([deltaMessage(base, headVersion, squashed)]),
        snapshot: bytesOf(snapshotMessages(headVersion, history.headWeights.length)),
      };
      assert.equal(plan.wireBytes, Math.min(costs.chain, costs.squash, costs.snapshot));
      assert.equal(plan.wireBytes, costs[plan.kind]);

      if (plan.kind !== 'squash') return;
      const weightsOfAgent = drawn.weightsByVersion[at]!.slice();
      applyDelta(weightsOfAgent, decodeDeltaPayload(plan.payload, weightsOfAgent.length));
      assertSameBits(weightsOfAgent, history.headWeights);
    }),
    { numRuns: 500 },
  );
});

test('all three kinds of plan occur', () => {
  const sparse = (index: number) => ({ indices: Uint32Array.of(index), valueBits: Uint32Array.of(index) });
  const planOf = (deltas: readonly SparseDelta[], elementCount: number) => {
    const weightsByVersion = [new Float32Array(elementCount)];
    for (const delta of deltas) {
      const next = weightsByVersion.at(-1)!.slice();
      applyDelta(next, delta);
      weightsByVersion.push(next);
    }
    const history = historyOf({ weightsByVersion, deltas, firstVersion: 1 });
    return planCatchUp(positionAt(history, 1), history).kind;
  };
  const dense = { indices: Uint32Array.from({ length: 50 }, (_, i) => i), valueBits: new Uint32Array(50) };
  assert.equal(planOf([sparse(3)], 1000), 'chain');
  assert.equal(planOf([sparse(3), sparse(700)], 1000), 'squash');
  assert.equal(planOf([dense], 50), 'snapshot');
});

test('a run that is far longer than a snapshot is not read', () => {
  const history = historyOf({ weightsByVersion: [new Float32Array(9)], deltas: [], firstVersion: 9 });
  const lagging: CatchUpHistory = {
    ...history,
    rootOf: () => root,
    *deltaBytesFrom() {
      for (let version = 2; version <= 7; version++) yield 1024 * 1024;
      assert.fail('sizes were read beyond the bound');
    },
    deltaPayloadsFrom: () => assert.fail('payloads were read'),
  };
  assert.equal(planCatchUp({ version: asWeightsVersion(1), root }, lagging).kind, 'snapshot');
});

test('an agent with nothing, or at a position the log does not hold, gets a snapshot', () => {
  const history = historyOf({ weightsByVersion: [new Float32Array(9)], deltas: [], firstVersion: 5 });
  const wireBytes = snapshotWireBytes({ version: 5, elementCount: 9 });
  assert.deepEqual(planCatchUp(null, history), { kind: 'snapshot', wireBytes });
  assert.deepEqual(planCatchUp({ version: asWeightsVersion(5), root }, history), {
    kind: 'snapshot',
    wireBytes,
  });
  assert.deepEqual(planCatchUp({ version: asWeightsVersion(3), root }, history), {
    kind: 'snapshot',
    wireBytes,
  });
});

test('the cost of a delta frame is the length of what the codec encodes', () => {
  const uint = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 70_000 }), fc.integer({ min: 1, max: 2 ** 40 }));
  const payloadBytes = fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 65_000, max: 66_000 }));
  fc.assert(
    fc.property(fc.nat({ max: 0xffff_ffff }), uint, uint, payloadBytes, (tag, base, next, length) => {
      const message = {
        type: 'delta' as const,
        modelTag: tag,
        base: asWeightsVersion(base),
        next: asWeightsVersion(next),
        root,
        payload: new Uint8Array(length),
      };
      assert.equal(deltaWireBytes({ modelTag: tag, base, next, payloadBytes: length }), bytesOf([message]));
    }),
  );
});

test('the cost of a snapshot is the length of what the codec encodes', () => {
  for (const elementCount of [1, 30, 100, 20_000, 65_536, 65_537, 200_000, 10_000_000]) {
    const messages = snapshotMessages(70_000, elementCount);
    assert.equal(messages.length, 1 + snapshotChunkCount(elementCount));
    assert.equal(snapshotWireBytes({ version: 70_000, elementCount }), bytesOf(messages), `${elementCount}`);
  }
});

test('the length of a payload is known before it is encoded', () => {
  const gaps = fc.array(fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 3_000_000 })), { maxLength: 200 });
  fc.assert(
    fc.property(gaps, (drawn) => {
      let index = -1;
      const indices = Uint32Array.from(drawn, (gap) => {
        index += gap + 1;
        return index;
      });
      const payload = encodeDeltaPayload({ indices, valueBits: new Uint32Array(indices.length) });
      assert.equal(deltaPayloadBytes(indices), payload.length);
    }),
  );
});
