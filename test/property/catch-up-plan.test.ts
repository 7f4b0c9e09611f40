/**
 * Whatever the line of versions: the plan leads to the head bit for bit, and no other way would have cost fewer
 * bytes. The costs are checked against frames that the codec really encodes.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { downstreamCodec } from '@freshet/protocol/codec';
import { applyDelta, diffWeights, type SparseDelta } from '@freshet/protocol/delta';
import { type DeltaLayout, decodeDeltaPayload, encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { digestWeights, modelTag } from '@freshet/protocol/digest';
import {
  asModelDigest,
  asRoot,
  asSignature,
  asWeightsVersion,
  type Position,
  type Proof,
} from '@freshet/protocol/ids';
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
import '../support/seed.ts';
import { assertSameBits, deltaFor, weights } from '../support/weights.ts';

const modelDigest = asModelDigest('5f'.repeat(32));
const root = asRoot('ab'.repeat(32));
const proofOf = (signed: boolean): Proof => ({
  root,
  signature: signed ? asSignature('cd'.repeat(64)) : null,
});

interface Line {
  readonly weightsByVersion: readonly Float32Array[];
  readonly deltas: readonly SparseDelta[];
  readonly firstVersion: number;
  readonly signed: boolean;
}

const line: fc.Arbitrary<Line> = fc.integer({ min: 1, max: 60 }).chain((elementCount) =>
  fc
    .tuple(
      weights(elementCount, elementCount),
      fc.array(deltaFor(elementCount), { maxLength: 12 }),
      fc.constantFrom(1, 120, 250, 65_530, 2 ** 32 - 4),
      fc.boolean(),
    )
    .map(([first, deltas, firstVersion, signed]) => ({
      weightsByVersion: allWeights(first, deltas),
      deltas,
      firstVersion,
      signed,
    })),
);

/** `first`, and the weights after each of `deltas`. */
function allWeights(first: Float32Array, deltas: readonly SparseDelta[]): Float32Array[] {
  const weightsByVersion = [first];
  for (const delta of deltas) {
    const next = weightsByVersion.at(-1)!.slice();
    applyDelta(next, delta);
    weightsByVersion.push(next);
  }
  return weightsByVersion;
}

/** One tensor. */
function layoutOf(elementCount: number): DeltaLayout {
  return { tensors: [{ elementOffset: 0, elementCount }], elementCount };
}

function historyOf({ weightsByVersion, deltas, firstVersion, signed }: Line): CatchUpHistory {
  const headWeights = weightsByVersion.at(-1)!;
  const layout = layoutOf(headWeights.length);
  const head = { version: asWeightsVersion(firstVersion + deltas.length), root: rootAt(deltas.length) };
  function rootAt(index: number) {
    return digestWeights(weightsByVersion[index]!, modelDigest, asWeightsVersion(firstVersion + index));
  }
  return {
    layout,
    head,
    headWeights,
    signed,
    snapshotBytes: snapshotWireBytes({ version: head.version, elementCount: headWeights.length, signed }),
    rootOf: (version) => (weightsByVersion[version - firstVersion] ? rootAt(version - firstVersion) : null),
    deltaBytesFrom: (base) =>
      deltas
        .slice(base - firstVersion)
        .map(
          (delta, i) => encodeDeltaPayload(delta, weightsByVersion[base - firstVersion + i]!, layout).length,
        ),
    *takeBack(weights, base) {
      for (let index = deltas.length; index > base - firstVersion; index--) {
        const undo = diffWeights(weights, weightsByVersion[index - 1]!);
        applyDelta(weights, undo);
        yield undo;
      }
    },
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

function deltaMessage(base: number, next: number, payload: Uint8Array, signed: boolean): DownstreamMessage {
  return {
    type: 'delta',
    modelTag: modelTag(modelDigest),
    base: asWeightsVersion(base),
    span: next - base,
    proof: proofOf(signed),
    payload,
    trafficClass: 'catch-up',
    traceparent: null,
  };
}

function snapshotMessages(version: number, elementCount: number, signed: boolean): DownstreamMessage[] {
  const bytes = new Uint8Array(elementCount * 4);
  const chunkCount = Math.ceil(bytes.length / SNAPSHOT_CHUNK_BYTES);
  const begin = {
    type: 'snapshotBegin',
    version: asWeightsVersion(version),
    proof: proofOf(signed),
    firstChunk: 0,
    traceparent: null,
  };
  const chunks = Array.from({ length: chunkCount }, (_, index) => ({
    type: 'snapshotChunk',
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

      const { signed, weightsByVersion } = drawn;
      const { layout, headWeights } = history;
      const run = drawn.deltas
        .slice(at)
        .map((delta, i) => encodeDeltaPayload(delta, weightsByVersion[at + i]!, layout));
      const agentWeights = weightsByVersion[at]!;
      const squashed = encodeDeltaPayload(diffWeights(agentWeights, headWeights), agentWeights, layout);
      const costs = {
        chain: bytesOf(run.map((payload, i) => deltaMessage(base + i, base + i + 1, payload, signed))),
        // One stored delta is sent as it is.
        squash: run.length === 1 ? Infinity : bytesOf([deltaMessage(base, headVersion, squashed, signed)]),
        snapshot: bytesOf(snapshotMessages(headVersion, headWeights.length, signed)),
      };
      assert.equal(plan.wireBytes, Math.min(costs.chain, costs.squash, costs.snapshot));
      assert.equal(plan.wireBytes, costs[plan.kind]);

      if (plan.kind !== 'squash') return;
      const weightsOfAgent = drawn.weightsByVersion[at]!.slice();
      applyDelta(weightsOfAgent, decodeDeltaPayload(plan.payload, weightsOfAgent, layout));
      assertSameBits(weightsOfAgent, history.headWeights);
    }),
    { numRuns: 500 },
  );
});

test('all three kinds of plan occur', () => {
  const sparse = (index: number) => ({ indices: Uint32Array.of(index), valueBits: Uint32Array.of(index) });
  const planOf = (deltas: readonly SparseDelta[], elementCount: number) => {
    const weightsByVersion = allWeights(new Float32Array(elementCount), deltas);
    const history = historyOf({ weightsByVersion, deltas, firstVersion: 1, signed: false });
    return planCatchUp(positionAt(history, 1), history).kind;
  };
  // Patterns with nothing in common, all over: more than 32 bits for each.
  const indices = Uint32Array.from({ length: 1000 }, (_, i) => i);
  const dense = { indices, valueBits: indices.map((i) => Math.imul(i + 1, 0x9e3779b1)) };
  assert.equal(planOf([sparse(3)], 1000), 'chain');
  assert.equal(planOf([sparse(3), sparse(700)], 1000), 'squash');
  assert.equal(planOf([dense], 1000), 'snapshot');
});

test('a run that is far longer than a snapshot is not read', () => {
  const history = historyOf({
    weightsByVersion: [new Float32Array(9)],
    deltas: [],
    firstVersion: 9,
    signed: false,
  });
  const lagging: CatchUpHistory = {
    ...history,
    rootOf: () => root,
    *deltaBytesFrom() {
      for (let version = 2; version <= 7; version++) yield 1024 * 1024;
      assert.fail('sizes were read beyond the bound');
    },
    takeBack: () => assert.fail('deltas were read'),
  };
  assert.equal(planCatchUp({ version: asWeightsVersion(1), root }, lagging).kind, 'snapshot');
});

test('an agent with nothing, or at a position the log does not hold, gets a snapshot', () => {
  const history = historyOf({
    weightsByVersion: [new Float32Array(9)],
    deltas: [],
    firstVersion: 5,
    signed: false,
  });
  const wireBytes = snapshotWireBytes({ version: 5, elementCount: 9, signed: false });
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
  const lengths = fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 65_000, max: 66_000 }));
  fc.assert(
    fc.property(uint, uint, lengths, fc.boolean(), (base, span, payloadBytes, signed) => {
      const next = base + Math.max(1, span);
      const message = deltaMessage(base, next, new Uint8Array(payloadBytes), signed);
      assert.equal(deltaWireBytes({ base, next, payloadBytes, signed }), bytesOf([message]));
    }),
  );
});

test('the cost of a snapshot is the length of what the codec encodes', () => {
  for (const elementCount of [1, 30, 100, 20_000, 65_536, 65_537, 200_000, 10_000_000]) {
    const signed = elementCount % 2 === 0;
    const messages = snapshotMessages(70_000, elementCount, signed);
    assert.equal(messages.length, 1 + snapshotChunkCount(elementCount));
    const wireBytes = snapshotWireBytes({ version: 70_000, elementCount, signed });
    assert.equal(wireBytes, bytesOf(messages), `${elementCount}`);
  }
});
