/**
 * Whatever the line of versions: the plan leads to the head bit for bit, and no other way would have cost fewer
 * bytes. The costs are checked against frames that the codec really encodes.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { downstreamCodec } from '@freshet/protocol/codec';
import { applyDelta, diffWeights, type SparseDelta } from '@freshet/protocol/delta';
import {
  type DeltaLayout,
  decodeDeltaPayload,
  encodeDeltaPayload,
  formatsOfPayload,
} from '@freshet/protocol/delta-payload';
import { digestWeights, modelTag } from '@freshet/protocol/digest';
import {
  asModelDigest,
  asRoot,
  asSignature,
  asWeightsVersion,
  type Position,
  type Proof,
} from '@freshet/protocol/ids';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import { encodeSnapshotChunk, snapshotChunkCount } from '@freshet/protocol/snapshot-chunk';
import fc from 'fast-check';
import { type CatchUpHistory, closePlan, openExactPlan, openPlan } from '../../trainer/core/catch-up-plan.ts';
import { deltaWireBytes, snapshotWireBytes, webSocketHeaderBytes } from '../../trainer/core/frame-bytes.ts';
import { chunkOf, estimateChunkBytes, sampleChunks } from '../../trainer/core/snapshot-estimate.ts';
import { SquashedRun } from '../../trainer/core/squash.ts';
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

/** What a plan is made of: the line as the log tells of it, and the squashes of it. */
interface Source {
  readonly history: CatchUpHistory;
  readonly layout: DeltaLayout;
  readonly headWeights: Float32Array;
  /** The payload of one delta over all versions after `base`, from the undos of the log. */
  squash(base: number): Uint8Array | null;
}

function sourceOf({ weightsByVersion, deltas, firstVersion, signed }: Line): Source {
  const headWeights = weightsByVersion.at(-1)!;
  const layout = layoutOf(headWeights.length);
  const head = { version: asWeightsVersion(firstVersion + deltas.length), root: rootAt(deltas.length) };
  function rootAt(index: number) {
    return digestWeights(weightsByVersion[index]!, modelDigest, asWeightsVersion(firstVersion + index));
  }
  return {
    layout,
    headWeights,
    history: {
      head,
      signed,
      snapshotBytes: bytesOf(snapshotMessages(head.version, headWeights, signed)),
      rootOf: (version) => (weightsByVersion[version - firstVersion] ? rootAt(version - firstVersion) : null),
      deltaBytesFrom: (base) =>
        deltas
          .slice(base - firstVersion)
          .map(
            (delta, i) =>
              encodeDeltaPayload(delta, weightsByVersion[base - firstVersion + i]!, layout).length,
          ),
    },
    squash(base) {
      const run = new SquashedRun(headWeights.slice(), layout);
      for (let index = deltas.length; index > base - firstVersion; index--) {
        const after = weightsByVersion[index]!;
        run.takeBack(encodeDeltaPayload(diffWeights(after, weightsByVersion[index - 1]!), after, layout));
      }
      return run.payload();
    },
  };
}

function planFor(from: Position | null, { history, squash }: Source) {
  const plan = openPlan(from, history);
  return plan.kind === 'open' ? closePlan(plan, squash(plan.base), history.signed) : plan;
}

function exactPlanFor(base: number, { history, squash }: Source) {
  const plan = openExactPlan(asWeightsVersion(base), history);
  return plan.kind === 'open' ? closePlan(plan, squash(base), history.signed) : plan;
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

/** All frames of a snapshot from `firstChunk` on. */
function snapshotMessages(
  version: number,
  weights: Float32Array,
  signed: boolean,
  firstChunk = 0,
): DownstreamMessage[] {
  const begin: DownstreamMessage = {
    type: 'snapshotBegin',
    version: asWeightsVersion(version),
    proof: proofOf(signed),
    firstChunk,
  };
  const chunks = Array.from({ length: snapshotChunkCount(weights.length) }, (_, index) => ({
    type: 'snapshotChunk' as const,
    index,
    bytes: encodeSnapshotChunk(chunkOf(weights, index)),
  }));
  return [begin, ...chunks.slice(firstChunk)];
}

test('every plan leads to the head, at the least of the three costs', () => {
  fc.assert(
    fc.property(line, fc.nat(), (drawn, pick) => {
      const source = sourceOf(drawn);
      const { history, layout, headWeights } = source;
      const at = pick % drawn.weightsByVersion.length;
      const base = drawn.firstVersion + at;
      const headVersion = history.head.version;
      const plan = planFor(positionAt(history, base), source);
      if (at === drawn.deltas.length) {
        assert.deepEqual(plan, { kind: 'current' });
        return;
      }
      assert.ok(plan.kind !== 'current');

      const { signed, weightsByVersion } = drawn;
      const run = drawn.deltas
        .slice(at)
        .map((delta, i) => encodeDeltaPayload(delta, weightsByVersion[at + i]!, layout));
      const agentWeights = weightsByVersion[at]!;
      const squashed = encodeDeltaPayload(diffWeights(agentWeights, headWeights), agentWeights, layout);
      const costs = {
        chain: bytesOf(run.map((payload, i) => deltaMessage(base + i, base + i + 1, payload, signed))),
        // One stored delta is sent as it is.
        squash: run.length === 1 ? Infinity : bytesOf([deltaMessage(base, headVersion, squashed, signed)]),
        snapshot: bytesOf(snapshotMessages(headVersion, headWeights, signed)),
      };
      assert.equal(plan.wireBytes, Math.min(costs.chain, costs.squash, costs.snapshot));
      assert.equal(plan.wireBytes, costs[plan.kind]);

      if (plan.kind !== 'squash') return;
      const weightsOfAgent = drawn.weightsByVersion[at]!.slice();
      applyDelta(weightsOfAgent, decodeDeltaPayload(plan.payload, weightsOfAgent, layout));
      assertSameBits(weightsOfAgent, headWeights);
    }),
    { numRuns: 500 },
  );
});

test('all three kinds of plan occur', () => {
  const sparse = (index: number) => ({ indices: Uint32Array.of(index), valueBits: Uint32Array.of(index) });
  const planOf = (deltas: readonly SparseDelta[], elementCount: number) => {
    const weightsByVersion = allWeights(new Float32Array(elementCount), deltas);
    const source = sourceOf({ weightsByVersion, deltas, firstVersion: 1, signed: false });
    return planFor(positionAt(source.history, 1), source).kind;
  };
  // Patterns with nothing in common, all over: more than 32 bits for each.
  const indices = Uint32Array.from({ length: 1000 }, (_, i) => i);
  const dense = { indices, valueBits: indices.map((i) => Math.imul(i + 1, 0x9e3779b1)) };
  assert.equal(planOf([sparse(3)], 1000), 'chain');
  assert.equal(planOf([sparse(3), sparse(700)], 1000), 'squash');
  assert.equal(planOf([dense], 1000), 'snapshot');
});

test('a run that is far longer than a snapshot is not read', () => {
  const source = sourceOf({
    weightsByVersion: [new Float32Array(9)],
    deltas: [],
    firstVersion: 9,
    signed: false,
  });
  const lagging: CatchUpHistory = {
    ...source.history,
    rootOf: () => root,
    *deltaBytesFrom() {
      for (let version = 2; version <= 7; version++) yield 1024 * 1024;
      assert.fail('sizes were read beyond the bound');
    },
  };
  assert.equal(openPlan({ version: asWeightsVersion(1), root }, lagging).kind, 'snapshot');
});

test('an agent with nothing, or at a position the log does not hold, gets a snapshot', () => {
  const source = sourceOf({
    weightsByVersion: [new Float32Array(9)],
    deltas: [],
    firstVersion: 5,
    signed: false,
  });
  const wireBytes = bytesOf(snapshotMessages(5, new Float32Array(9), false));
  assert.deepEqual(planFor(null, source), { kind: 'snapshot', wireBytes });
  assert.deepEqual(planFor({ version: asWeightsVersion(5), root }, source), {
    kind: 'snapshot',
    wireBytes,
  });
  assert.deepEqual(planFor({ version: asWeightsVersion(3), root }, source), {
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
  for (const elementCount of [0, 1, 30, 100, 20_000, 65_536, 65_537, 1_000_000]) {
    for (const firstChunk of [0, snapshotChunkCount(elementCount) - 1]) {
      const signed = elementCount % 2 === 0;
      const weights = Float32Array.from({ length: elementCount }, (_, i) => Math.sin(i));
      const messages = snapshotMessages(70_000, weights, signed, firstChunk);
      const chunkBytes = messages.flatMap((each) =>
        each.type === 'snapshotChunk' ? [each.bytes.length] : [],
      );
      const wireBytes = snapshotWireBytes({ version: 70_000, signed, firstChunk, chunkBytes });
      assert.equal(wireBytes, bytesOf(messages), `${elementCount} from ${firstChunk}`);
    }
  }
});

test('the cost of a snapshot is known before it is encoded', () => {
  // Uniform and normal weights, a layer of ones and one of zeros: what a large model is made of.
  const weights = Float32Array.from({ length: 1_500_000 }, (_, i) => {
    if (i % 100_000 < 512) return i % 2;
    return Math.sin(i * i) * (i < 700_000 ? 0.05 : 0.5);
  });
  const chunkBytes = estimateChunkBytes(weights.length, sampleChunks(weights).compression);
  const estimate = snapshotWireBytes({ version: 7, signed: false, firstChunk: 0, chunkBytes });
  const actual = bytesOf(snapshotMessages(7, weights, false));
  assert.ok(Math.abs(estimate - actual) < 0.02 * actual, `${estimate} estimated, ${actual} in fact`);

  const few = weights.subarray(0, 200_000);
  const exact = estimateChunkBytes(few.length, sampleChunks(few).compression).reduce(
    (sum, bytes) => sum + bytes,
    0,
  );
  const chunks = Array.from({ length: 4 }, (_, i) => encodeSnapshotChunk(chunkOf(few, i)).length);
  assert.ok(
    Math.abs(exact - chunks.reduce((sum, bytes) => sum + bytes, 0)) <= 4,
    'nothing is guessed for few chunks',
  );
});

test('the exact way leads to the head, or is a snapshot where that is cheaper', () => {
  fc.assert(
    fc.property(line, fc.nat(), (drawn, pick) => {
      if (drawn.deltas.length === 0) return;
      const source = sourceOf(drawn);
      const { history, layout, headWeights } = source;
      const at = pick % drawn.deltas.length;
      const plan = exactPlanFor(drawn.firstVersion + at, source);
      assert.ok(plan.kind === 'snapshot' || plan.kind === 'squash');
      assert.ok(plan.wireBytes <= history.snapshotBytes);
      if (plan.kind === 'snapshot') return;
      const weightsOfAgent = drawn.weightsByVersion[at]!.slice();
      applyDelta(weightsOfAgent, decodeDeltaPayload(plan.payload, weightsOfAgent, layout));
      assertSameBits(weightsOfAgent, headWeights);
      assert.deepEqual(formatsOfPayload(plan.payload, layout), ['f32']);
    }),
  );
});
