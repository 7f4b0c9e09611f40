/**
 * Whatever a hub announces: a model or ONNX_MALFORMED, in memory proportional to the message. The verdict is that of
 * joining the graph with weights and reading the file, which is how PROTOCOL.md puts it and which costs what is
 * announced, so that only small announcements are held against it. Inputs are true messages that were damaged.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { digestModel } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { modelOfMessage } from '@freshet/protocol/model';
import { cutWeights, joinWeights, readOnnxLayout, type TensorLayout } from '@freshet/protocol/onnx-layout';
import fc from 'fast-check';
import { damage } from '../support/damage.ts';
import { growthDuring } from '../support/memory.ts';
import { buildCutOnnx } from '../support/onnx-builder.ts';
import { hugeInitializers, onnxSample } from '../support/onnx-samples.ts';
import '../support/seed.ts';

const TIME_LIMIT_MS = 1000;

/** What may be joined to know the truth. */
const JOINED_ELEMENTS_MAX = 10_000;

/** The graph is copied twice (kept, and to be hashed); the rest is Node's pool for small buffers. */
const BUFFER_BYTES_PER_GRAPH_BYTE = 2;
const BUFFER_BYTES_FIXED = 64 * 1024;

type Announcement = Pick<MessageNamed<DownstreamMessage, 'model'>, 'tensors' | 'graph'>;
type Tensor = Announcement['tensors'][number];

const ofFile = onnxSample.map(({ file }): Announcement => {
  const tensors = readOnnxLayout(file);
  return { tensors, graph: cutWeights(file, tensors) };
});

const ofNoFile = hugeInitializers.map((initializers): Announcement => {
  const { graph, fileOffsets } = buildCutOnnx(initializers);
  return { tensors: initializers.map((each, i) => ({ ...each, fileOffset: fileOffsets[i]! })), graph };
});

/** A true file, cut where its weights are not: aligned or not, through structure or constants. */
const cutAnywhere = fc
  .tuple(onnxSample, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 3 })), { maxLength: 4 }))
  .map(([{ file }, cuts]): Announcement => {
    const names = readOnnxLayout(file).map(({ name }) => name);
    const layout: TensorLayout[] = [];
    let end = 0;
    for (const [i, [skip, elementCount]] of cuts.entries()) {
      const fileOffset = end + (skip % (file.length - end + 1));
      if (fileOffset + 4 * elementCount > file.length) break;
      end = fileOffset + 4 * elementCount;
      const previous = layout.at(-1);
      const elementOffset = previous === undefined ? 0 : previous.elementOffset + previous.elementCount;
      layout.push({
        name: names[i] ?? `t${i}`,
        shape: [elementCount],
        elementOffset,
        elementCount,
        fileOffset,
      });
    }
    return { tensors: layout, graph: cutWeights(file, layout) };
  });

const announcement = fc.oneof(ofFile, ofNoFile, cutAnywhere);

/** Returns other tensors than it is given; `pick` chooses which one is changed. */
type Lie = (tensors: readonly Tensor[], pick: number) => readonly Tensor[];

function changeOne(change: (tensor: Tensor) => readonly Tensor[]): Lie {
  return (tensors, pick) =>
    tensors.flatMap((tensor, i) => (i === pick % tensors.length ? change(tensor) : [tensor]));
}

const dimension = fc.oneof(
  fc.nat({ max: 4 }),
  fc.nat({ max: 2 ** 28 }),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);
const offset = fc.oneof(fc.nat({ max: 200 }), fc.maxSafeNat());

const lie: fc.Arbitrary<Lie> = fc.oneof(
  fc
    .integer({ min: -8, max: 8 })
    .map((by) => changeOne((tensor) => [{ ...tensor, fileOffset: Math.max(0, tensor.fileOffset + by) }])),
  offset.map((fileOffset) => changeOne((tensor) => [{ ...tensor, fileOffset }])),
  fc.array(dimension, { maxLength: 8 }).map((shape) => changeOne((tensor) => [{ ...tensor, shape }])),
  fc.constant(changeOne((tensor) => [{ ...tensor, shape: tensor.shape.toReversed() }])),
  fc.constant(changeOne((tensor) => [{ ...tensor, name: `${tensor.name}'` }])),
  fc.constant(changeOne(() => [])),
  fc.constant(changeOne((tensor) => [tensor, tensor])),
  fc
    .record({
      name: fc.string({ maxLength: 2 }),
      shape: fc.array(dimension, { maxLength: 2 }),
      fileOffset: offset,
    })
    .map((invented) => changeOne((tensor) => [tensor, invented])),
  fc.constant<Lie>((tensors) => tensors.toReversed()),
);

const lies = fc.array(fc.tuple(lie, fc.nat()), { maxLength: 2 });
const sometimesDamage = fc.option(damage, { nil: null, freq: 2 });

function layoutOf(tensors: readonly Tensor[]): TensorLayout[] {
  let elementOffset = 0;
  return tensors.map(({ name, shape, fileOffset }) => {
    const elementCount = shape.reduce((product, each) => product * each, 1);
    elementOffset += elementCount;
    return { name, shape, elementOffset: elementOffset - elementCount, elementCount, fileOffset };
  });
}

/** The truth, at the price of all weights; undefined where that is too much. */
function isTrue({ tensors, graph }: Announcement): boolean | undefined {
  const layout = layoutOf(tensors);
  const elementCount = layout.reduce((sum, tensor) => sum + tensor.elementCount, 0);
  if (elementCount > JOINED_ELEMENTS_MAX) return undefined;
  const joined = outcomeOf(() => readOnnxLayout(joinWeights(graph, layout, new Float32Array(elementCount))));
  return joined !== 'refused' && JSON.stringify(joined) === JSON.stringify(layout);
}

function outcomeOf<Value>(read: () => Value): Value | 'refused' {
  try {
    return read();
  } catch (error) {
    assert(error instanceof FreshetError && error.code === 'ONNX_MALFORMED', `undeclared: ${String(error)}`);
    return 'refused';
  }
}

/** Whether the device takes it. */
function isTaken({ tensors, graph }: Announcement): boolean {
  const message = { type: 'model' as const, modelId: 'm', tensors, graph };
  const digest = digestModel('m', graph);
  let taken = false;
  const { arrayBufferBytes } = growthDuring(() => {
    taken = outcomeOf(() => modelOfMessage(message, digest)) !== 'refused';
  });
  const allowed = BUFFER_BYTES_FIXED + BUFFER_BYTES_PER_GRAPH_BYTE * graph.length;
  assert(arrayBufferBytes <= allowed, `${arrayBufferBytes} bytes of buffers for a graph of ${graph.length}`);
  return taken;
}

describe('fuzz', () => {
  it('model messages', () => {
    const counts = { taken: 0, refused: 0, huge: 0 };
    fc.assert(
      fc.property(announcement, announcement, lies, sometimesDamage, (honest, other, told, apply) => {
        const hostile = {
          tensors: told.reduce((tensors, [change, pick]) => change(tensors, pick), honest.tensors),
          graph: apply === null ? honest.graph : apply(honest.graph, other.graph),
        };
        const expected = isTrue(hostile);
        const taken = isTaken(hostile);
        if (expected === undefined) counts.huge++;
        else assert.equal(taken, expected);
        if (taken) counts.taken++;
        else counts.refused++;
      }),
      { numRuns: 1_000_000, interruptAfterTimeLimit: TIME_LIMIT_MS },
    );
    const { taken, refused, huge } = counts;
    console.log(`model messages: ${taken} taken, ${refused} refused, ${huge} of them too large to be joined`);
    assert(taken > 0 && refused > 0 && huge > 0, 'the damage reaches every outcome');
  });

  it('model messages that are true, whatever size they announce', () => {
    fc.assert(fc.property(fc.oneof(ofFile, ofNoFile), (honest) => assert(isTaken(honest))));
  });
});
