/**
 * A model with BatchNorm, trained, published in sparse deltas and applied to a replica: what ONNX Runtime makes of the
 * replica's file is what tfjs's inference makes of the trained model. Moving statistics travel like all weights.
 */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { applyDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { joinModel, splitModel } from '@freshet/protocol/model';
import { ShadowPublisher } from '@freshet/trainer/core/shadow-publisher';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { CanonicalModel } from '@freshet/trainer/learn/canonical-model';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import { relativeError } from '../support/numerics.ts';
import { runOnnx } from '../support/onnx-session.ts';
import { batchOf, INPUT_ELEMENTS, samplesOf, smallRecipe } from '../support/small-recipe.ts';

const STEPS = 12;
const PUBLISH_EVERY = 3;
const DENSITY = 0.5;
/** After training stands still, so many publications at this density carry all that is left. */
const LAST_PUBLICATIONS = 8;
const TOLERANCE = 1e-4;

before(() => selectBackend('wasm'));

async function trainAndPublish() {
  const trainStep = new TrainStep(smallRecipe, { seed: 1, learningRate: 0.01 });
  const canonical = await CanonicalModel.of(trainStep, smallRecipe.name);
  const { model, weights: replica } = splitModel(smallRecipe.name, canonical.file);
  const options = { density: DENSITY, formats: model.tensors.map(() => 'f32' as const) };
  const publisher = new ShadowPublisher(replica.slice(), model, options);
  const { train, test } = samplesOf(smallRecipe);
  let version = 1;
  const publish = async () => {
    const trained = await canonical.readWeights();
    const { payload, changedCount } = publisher.publish(trained, asWeightsVersion(++version));
    if (changedCount > 0) applyDelta(replica, decodeDeltaPayload(payload, replica, model));
  };
  for (let step = 0; step < STEPS; step++) {
    const { inputs, targets } = batchOf(smallRecipe, train, step * 32, 32);
    await trainStep.step(inputs, targets, 8);
    if (step % PUBLISH_EVERY === 0) await publish();
  }
  for (let i = 0; i < LAST_PUBLICATIONS; i++) await publish();
  return { trainStep, model, replica, test };
}

describe('the replica of a trained model with BatchNorm', () => {
  it('predicts in ONNX Runtime as tfjs does in inference', async () => {
    const { trainStep, model, replica, test } = await trainAndPublish();
    const { inputs } = batchOf(smallRecipe, test, 0, 50);
    const expected = await trainStep.predict(inputs, 50);
    const shape = [50, ...smallRecipe.format.inputShape];
    const { values } = await runOnnx(joinModel(model, replica), inputs, shape);
    const error = relativeError(values, expected);
    assert.ok(error < TOLERANCE, `error ${error}`);
    trainStep.dispose();
  });

  it('would not, had its moving statistics stayed what they were', async () => {
    const { trainStep, model, replica, test } = await trainAndPublish();
    const { inputs } = batchOf(smallRecipe, test, 0, 50);
    const expected = await trainStep.predict(inputs, 50);
    let offset = 0;
    for (const { name, shape } of model.tensors) {
      const count = shape.reduce((product, dimension) => product * dimension, 1);
      if (name.endsWith('moving_mean')) replica.fill(0, offset, offset + count);
      if (name.endsWith('moving_variance')) replica.fill(1, offset, offset + count);
      offset += count;
    }
    assert.equal(offset, replica.length);
    assert.equal(inputs.length, 50 * INPUT_ELEMENTS);
    const shape = [50, ...smallRecipe.format.inputShape];
    const { values } = await runOnnx(joinModel(model, replica), inputs, shape);
    assert.ok(relativeError(values, expected) > 100 * TOLERANCE);
    trainStep.dispose();
  });
});
