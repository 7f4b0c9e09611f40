/** `digest.json`: BLAKE3 over weights, the roots of versions, the digests of models. */
import { bitsOf } from '@freshet/protocol/delta';
import { CHUNK_ELEMENTS, digestModel, digestWeights, modelTag } from '@freshet/protocol/digest';
import { asModelDigest, asWeightsVersion } from '@freshet/protocol/ids';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { blake3 } from '@noble/hashes/blake3.js';
import { bytesOfHex, hexOf } from './hex.ts';
import { bitsOfHex, hexOfBits, type WeightsSpec, weightsOfSpec } from './vector-weights.ts';

export interface ModelVector {
  readonly name: string;
  readonly modelId: string;
  /** Any bytes: what is hashed need not be an ONNX file. */
  readonly graph: string;
  readonly modelDigest: string;
  readonly modelTag: number;
}

export interface RootVector {
  readonly name: string;
  readonly weights: WeightsSpec;
  readonly modelDigest: string;
  readonly version: number;
  readonly top: string;
  readonly root: string;
}

/** The root before, and after a change of some of the weights. */
export interface UpdateVector extends RootVector {
  readonly indices: readonly number[];
  readonly bits: string;
  readonly nextVersion: number;
  readonly nextTop: string;
  readonly nextRoot: string;
}

export interface DigestVectors {
  readonly part: 'digest';
  readonly protocol: number;
  readonly valid: {
    readonly models: readonly ModelVector[];
    readonly roots: readonly RootVector[];
    readonly updates: readonly UpdateVector[];
  };
}

const MODEL_DIGEST = digestModel('lenet5', new Uint8Array([8, 8]));
/** Trees whose last subtree is as small as it can be, complete, and in between. */
const CHUNK_COUNTS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100];

export function digestVectors(): DigestVectors {
  return {
    part: 'digest',
    protocol: PROTOCOL_VERSION,
    valid: { models: models(), roots: roots(), updates: updates() },
  };
}

/** BLAKE3 by an implementation that is not ours: what the files say must not come from what is tested. */
export function topOf(weights: Float32Array): string {
  return hexOf(blake3(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)));
}

function models(): ModelVector[] {
  const model = (name: string, modelId: string, graph: string): ModelVector => {
    const modelDigest = digestModel(modelId, bytesOfHex(graph));
    return { name, modelId, graph, modelDigest, modelTag: modelTag(modelDigest) };
  };
  return [
    model('a short name', 'lenet5', '0808'),
    model('another graph', 'lenet5', '0809'),
    model('the length of the name tells where the graph begins', 'lenet5\b', '08'),
    model('letters of more than one byte', 'größe-5 模型 🧠', '08070605'),
    model('no name and no graph', '', ''),
    model('a name of 300 bytes', 'ab'.repeat(150), 'ff'),
  ];
}

function root(name: string, weights: WeightsSpec, version: number, modelDigest = MODEL_DIGEST): RootVector {
  const values = weightsOfSpec(weights);
  return {
    name,
    weights,
    modelDigest,
    version,
    top: topOf(values),
    root: digestWeights(values, modelDigest, asWeightsVersion(version)),
  };
}

function roots(): RootVector[] {
  const edges = CHUNK_COUNTS.flatMap((chunks) => {
    const full = chunks * CHUNK_ELEMENTS;
    return chunks <= 9 ? [full - 1, full, full + 1] : [full, full + 1];
  });
  return [
    root('no weights', '', 1),
    root('one weight', hexOfBits([0x3f80_0000]), 1),
    root('NaN with a payload, −0, ∞, a denormal', hexOfBits([0x7fa0_1234, 0x8000_0000, 0x7f80_0000, 1]), 7),
    ...edges.map((count) => root(`${count} weights`, { formula: 'weights', count }, 1)),
    ...[2, 255, 256, 2 ** 32, Number.MAX_SAFE_INTEGER].map((version) =>
      root(`version ${version}`, { formula: 'weights', count: 300 }, version),
    ),
    root('another model', { formula: 'weights', count: 300 }, 2, asModelDigest('ab'.repeat(32))),
    root('any patterns', { formula: 'patterns', count: 1000 }, 2),
  ];
}

function updates(): UpdateVector[] {
  const update = (name: string, count: number, indices: readonly number[]): UpdateVector => {
    const before = root(name, { formula: 'weights', count }, 41);
    const next = weightsOfSpec(before.weights);
    const bits = bitsOf(next);
    for (const index of indices) bits[index]! ^= 0x0040_0001;
    return {
      ...before,
      indices,
      bits: hexOfBits(indices.map((index) => bits[index]!)),
      nextVersion: 42,
      nextTop: topOf(next),
      nextRoot: digestWeights(next, MODEL_DIGEST, asWeightsVersion(42)),
    };
  };
  const [chunk, last] = [CHUNK_ELEMENTS, 9 * CHUNK_ELEMENTS];
  return [
    update('nothing', 600, []),
    update('the only chunk', 100, [0, 99]),
    update('both ends of chunks', 5 * chunk, [0, chunk - 1, chunk, 2 * chunk - 1, 5 * chunk - 1]),
    update('the last chunk, which has no neighbour', last + 1, [last]),
    update('first and last of many', 100 * chunk + 3, [0, 100 * chunk + 2]),
  ];
}

/** `weights` after the change of `vector`: a new array. */
export function updatedWeights({ weights, indices, bits }: UpdateVector): Float32Array {
  const next = weightsOfSpec(weights);
  const values = bitsOfHex(bits);
  for (const [i, index] of indices.entries()) bitsOf(next)[index] = values[i]!;
  return next;
}
