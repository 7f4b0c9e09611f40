/** What cannot be exported is refused by name: the layer, the option, and what would be supported. */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { exportOnnx } from '@freshet/trainer/onnx/export-model';
import * as tfl from '@tensorflow/tfjs-layers';
import { asSymbolic, useCpuBackend } from '../support/tfjs-models.ts';

const { layers } = tfl;

const name = 'odd';

/** A layer called "odd", the input it is put on, and what the message has to say. */
const LAYERS: Readonly<Record<string, [() => tfl.layers.Layer, (number | null)[], RegExp]>> = {
  'a layer nobody exports': [
    () => layers.zeroPadding2d({ name }),
    [4, 4, 1],
    /layer "odd" \(ZeroPadding2D\).*supported layers are .*Conv2D/,
  ],
  'channels first': [
    () => layers.conv2d({ name, filters: 2, kernelSize: 3, dataFormat: 'channelsFirst' }),
    [1, 8, 8],
    /"odd" \(Conv2D\).*option dataFormat is "channelsFirst"; supported: channelsLast/,
  ],
  'pooling channels first': [
    () => layers.maxPooling2d({ name, dataFormat: 'channelsFirst' }),
    [1, 8, 8],
    /"odd" \(MaxPooling2D\).*dataFormat/,
  ],
  'an activation nobody exports': [
    () => layers.dense({ name, units: 2, activation: 'mish' }),
    [4],
    /"odd" \(Dense\).*option activation is "mish"; supported: linear, softmax, elu, relu/,
  ],
  'a limited relu': [() => layers.reLU({ name, maxValue: 6 }), [4], /"odd" \(ReLU\).*option maxValue is 6/],
  'softmax along another axis': [
    () => layers.softmax({ name, axis: 1 }),
    [4, 3],
    /"odd" \(Softmax\).*option axis is 1; supported: the last one \(-1 or 2\)/,
  ],
  'batch normalisation along another axis': [
    () => layers.batchNormalization({ name, axis: 1 }),
    [4, 3, 2],
    /"odd" \(BatchNormalization\).*option axis is 1; supported: the last one \(-1 or 3\)/,
  ],
  'batch normalisation of sequences': [
    () => layers.batchNormalization({ name }),
    [4, 3],
    /"odd" \(BatchNormalization\).*2 dimensions without the batch; supported: 1, 3/,
  ],
  'a dilated depthwise convolution': [
    () => layers.depthwiseConv2d({ name, kernelSize: 3, dilationRate: 2 }),
    [8, 8, 2],
    /"odd" \(DepthwiseConv2D\).*option dilationRate is \[2,2\]; supported: 1/,
  ],
  'global pooling channels first': [
    () => layers.globalAveragePooling2d({ name, dataFormat: 'channelsFirst' }),
    [4, 3, 2],
    /"odd" \(GlobalAveragePooling2D\).*dataFormat/,
  ],
  'flatten of channels-first images': [
    () => layers.flatten({ name, dataFormat: 'channelsFirst' }),
    [4, 3, 2],
    /"odd" \(Flatten\).*dataFormat/,
  ],
  'an image size that is not known': [
    () => layers.conv2d({ name, filters: 2, kernelSize: 3 }),
    [null, 8, 1],
    /\(InputLayer\).*shape \[\?, \?, 8, 1\]; supported: known dimensions/,
  ],
  'an image with nothing left': [
    () => layers.conv2d({ name, filters: 2, kernelSize: 5 }),
    [4, 4, 1],
    /"odd" \(Conv2D\).*shape \[\?, 0, 0, 2\]/,
  ],
  'a dimension left open': [
    () => layers.reshape({ name, targetShape: [2, -1] }),
    [4],
    /"odd" \(Reshape\).*shape \[\?, 2, \?\]/,
  ],
  'a model within the model': [
    () => tfl.sequential({ name, layers: [layers.dense({ units: 2, inputShape: [4] })] }),
    [4],
    /"odd" \(Sequential\).*supported layers/,
  ],
};

async function refusal(model: tfl.LayersModel): Promise<string> {
  try {
    await exportOnnx(model, { modelId: 'test' });
  } catch (error) {
    assert(error instanceof FreshetError && error.code === 'LAYER_UNSUPPORTED', String(error));
    return error.message;
  }
  throw new assert.AssertionError({ message: 'the model was exported' });
}

describe('export refuses', () => {
  before(useCpuBackend);

  for (const [what, [build, inputShape, message]] of Object.entries(LAYERS)) {
    it(what, async () => {
      const model = tfl.sequential();
      model.add(layers.inputLayer({ inputShape }));
      model.add(build());
      assert.match(await refusal(model), message);
    });
  }

  it('integer inputs', async () => {
    const model = tfl.sequential();
    model.add(layers.inputLayer({ inputShape: [4], dtype: 'int32', name }));
    model.add(layers.dropout({ rate: 0.5 }));
    assert.match(await refusal(model), /"odd" \(InputLayer\).*dtype is "int32"; supported: float32/);
  });

  it('a sum that repeats one of its inputs', async () => {
    const input = tfl.input({ shape: [4, 3] });
    const wide = asSymbolic(layers.dense({ units: 1 }).apply(input));
    const output = asSymbolic(layers.add({ name }).apply([input, wide]));
    assert.match(
      await refusal(tfl.model({ inputs: input, outputs: output })),
      /"odd" \(Add\).*shapes \[4, 3\] and \[4, 1\]; supported: one shape/,
    );
  });

  it('a concatenation along another axis', async () => {
    const input = tfl.input({ shape: [4, 3] });
    const output = asSymbolic(layers.concatenate({ name, axis: 1 }).apply([input, input]));
    assert.match(
      await refusal(tfl.model({ inputs: input, outputs: output })),
      /"odd" \(Concatenate\).*option axis is 1; supported: the last one \(-1 or 2\)/,
    );
  });

  it('a model without layers', async () => {
    assert.match(await refusal(tfl.sequential()), /has 0 inputs and 0 outputs/);
  });

  it('several outputs', async () => {
    const input = tfl.input({ shape: [4] });
    const outputs = [1, 2].map((units) => asSymbolic(layers.dense({ units }).apply(input)));
    const model = tfl.model({ inputs: input, outputs });
    assert.match(await refusal(model), /1 inputs and 2 outputs; supported: one of each/);
  });

  it('dropout that stays on', async () => {
    const input = tfl.input({ shape: [4] });
    const output = asSymbolic(layers.dropout({ name, rate: 0.5 }).apply(input, { training: true }));
    const model = tfl.model({ inputs: input, outputs: output });
    assert.match(await refusal(model), /"odd" \(Dropout\).*training: true/);
  });

  it('a kernel shared by layers that see its input in different orders', async () => {
    const input = tfl.input({ shape: [2, 2, 3] });
    const shared = layers.dense({ name, units: 12 });
    const pooled = asSymbolic(layers.maxPooling2d({ poolSize: 1 }).apply(input));
    const once = asSymbolic(shared.apply(asSymbolic(layers.flatten().apply(pooled))));
    const model = tfl.model({ inputs: input, outputs: asSymbolic(shared.apply(once)) });
    assert.match(await refusal(model), /weight "odd\/kernel" is shared/);
  });
});
