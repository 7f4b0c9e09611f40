/** Digests against digest.json. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { bitsOf } from '@freshet/protocol/delta';
import { digestModel, digestWeights, modelTag, WeightsDigest } from '@freshet/protocol/digest';
import { asModelDigest, asWeightsVersion } from '@freshet/protocol/ids';
import { topOf, updatedWeights } from '../support/vectors/digest-vectors.ts';
import { frozenVectors } from '../support/vectors/frozen-vectors.ts';
import { bytesOfHex } from '../support/vectors/hex.ts';
import { weightsOfSpec } from '../support/vectors/vector-weights.ts';

const { models, roots, updates } = frozenVectors('digest.json').valid;

describe('the digest of a model', () => {
  for (const { name, modelId, graph, modelDigest, modelTag: tag } of models) {
    it(name, () => {
      const digest = digestModel(modelId, bytesOfHex(graph));
      assert.equal(digest, modelDigest);
      assert.equal(modelTag(digest), tag);
    });
  }
});

describe('the root of weights', () => {
  for (const { name, weights, modelDigest, version, top, root } of roots) {
    it(name, () => {
      const values = weightsOfSpec(weights);
      assert.equal(topOf(values), top, 'as another BLAKE3 has it');
      assert.equal(digestWeights(values, asModelDigest(modelDigest), asWeightsVersion(version)), root);
    });
  }
});

describe('the root after a change', () => {
  for (const vector of updates) {
    it(vector.name, () => {
      const weights = weightsOfSpec(vector.weights);
      const digest = new WeightsDigest(weights, asModelDigest(vector.modelDigest));
      assert.equal(digest.root(asWeightsVersion(vector.version)), vector.root);
      bitsOf(weights).set(bitsOf(updatedWeights(vector)));
      digest.update(Uint32Array.from(vector.indices));
      assert.equal(digest.root(asWeightsVersion(vector.nextVersion)), vector.nextRoot);
      assert.equal(topOf(weights), vector.nextTop);
    });
  }
});
