/**
 * A recipe to start from: a model of your own, trained on a stream and kept up to date on devices. Run it with
 *
 *     npx freshet start --recipe ./examples/my-recipe.ts --state .freshet/vibration --density 0.2
 *
 * with a directory of its own, and, as it has 1,633 weights only, a larger share of them in each delta than the default.
 * It predicts a machine's vibration a moment ahead from the last 16 readings of its sensor: a regression with a small
 * network and Huber's loss, which a reading gone wrong does not upset. The machine wears out as it runs, so the model
 * must keep learning. Node runs this file as it is; `npx tsc --noEmit` tells whether its types are right.
 */
import { defineRecipe, type Recipe } from '@freshet/trainer/recipe';

/** Readings that a prediction is made from. */
const WINDOW = 16;

export const recipe: Recipe = defineRecipe({
  // What devices serve it as: POST /v2/models/vibration/infer. Another name is another model.
  name: 'vibration',

  // One input, without the batch axis; images are [height, width, channels]. `dtype` is what samples are sent and
  // stored as: 'uint8' takes a quarter of the place of 'float32'.
  input: { shape: [WINDOW], dtype: 'uint8' },

  // What a sample teaches: a vector of numbers here; { kind: 'class', classCount: 10 } for one class of ten.
  target: { kind: 'vector', elementCount: 1 },

  // 'sigmoid-cross-entropy', 'mean-squared-error', 'huber:DELTA'; for classes 'softmax-cross-entropy'. Or a function:
  //   loss: (targets, outputs, tf) => tf.mean(tf.abs(tf.sub(outputs, targets)))
  loss: 'huber:0.1',

  // How good a prediction is, as status and dashboards show it. Or { name, better, measure(output, target) }.
  metric: 'mean-absolute-error',

  // From stored numbers to what the model takes; leave it out where they are the same. Whoever asks a device for a
  // prediction sends these floats, so does the same beforehand.
  preprocess(stored, floats) {
    for (let i = 0; i < floats.length; i++) floats[i] = stored[i]! / 127.5 - 1;
  },

  // Make layers with the `tf` that is passed in, and give those with weights a name: weights are stored and sent under
  // it. A seed for each initialiser makes a run repeatable.
  buildModel({ tf, drawSeed }) {
    const glorot = () => tf.initializers.glorotUniform({ seed: drawSeed() });
    const hidden = { units: 32, activation: 'tanh' } as const;
    return tf.sequential({
      layers: [
        tf.layers.dense({ ...hidden, name: 'hidden1', inputShape: [WINDOW], kernelInitializer: glorot() }),
        tf.layers.dense({ ...hidden, name: 'hidden2', kernelInitializer: glorot() }),
        tf.layers.dense({ name: 'next', units: 1, kernelInitializer: 'zeros' }),
      ],
    });
  },

  // The recipe's own samples, by index: the same index gives the same sample in every run. Leave it out where all
  // samples come from elsewhere: POST /api/v1/samples, or the devices. What takes time to open can be awaited at the
  // top level of this module.
  openSource: () => ({
    train: { count: 1_000_000, sample: (index) => sampleAt(index) },
    // The first so many are trained on before anything is published; the rest arrive as the stream.
    initialCount: 2_000,
    // Held out, never trained on: what the machine does after all that.
    test: { count: 500, sample: (index) => sampleAt(1_000_000 + index) },
  }),
});

/** The readings of a window that ends at time `index`, and the one after it. */
function sampleAt(index: number) {
  const input = Uint8Array.from({ length: WINDOW }, (_, i) => toByte(reading(index + i)));
  return { input, target: [reading(index + WINDOW)] };
}

/** A reading in [-1, 1]: two tones, the second of which grows as the bearing wears, some noise, a rare spike. */
function reading(time: number): number {
  const wear = time / 200_000;
  const tones = 0.5 * Math.sin(time / 3) + 0.3 * Math.tanh(wear) * Math.sin(1.7 * time + wear);
  const spike = noise(time + 0.5) > 0.99 ? 0.4 : 0;
  return Math.max(-1, Math.min(1, tones + 0.05 * noise(time) + spike));
}

/** A number in [-1, 1) that looks random and depends on `x` only. */
function noise(x: number): number {
  const wild = Math.sin(x * 12.9898) * 43758.5453;
  return 2 * (wild - Math.floor(wild)) - 1;
}

/** As a sensor with 8 bits gives it. */
function toByte(value: number): number {
  return Math.round((value + 1) * 127.5);
}
