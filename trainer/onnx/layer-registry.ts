/** Which exporter writes which tfjs layer. A new layer is a new file in `layers/` and a line here. */
import { type LayerCall, type LayerExporter, unsupported } from './layer-call.ts';
import { exportActivation } from './layers/activation.ts';
import { exportAdd } from './layers/add.ts';
import { exportAveragePooling2d } from './layers/average-pooling2d.ts';
import { exportBatchNormalization } from './layers/batch-normalization.ts';
import { exportConcatenate } from './layers/concatenate.ts';
import { exportConv2d } from './layers/conv2d.ts';
import { exportDense } from './layers/dense.ts';
import { exportDepthwiseConv2d } from './layers/depthwise-conv2d.ts';
import { exportDropout } from './layers/dropout.ts';
import { exportElu } from './layers/elu.ts';
import { exportFlatten } from './layers/flatten.ts';
import { exportGlobalAveragePooling2d, exportGlobalMaxPooling2d } from './layers/global-pooling2d.ts';
import { exportInputLayer } from './layers/input-layer.ts';
import { exportLeakyRelu } from './layers/leaky-relu.ts';
import { exportMaxPooling2d } from './layers/max-pooling2d.ts';
import { exportRelu } from './layers/relu.ts';
import { exportReshape } from './layers/reshape.ts';
import { exportSeparableConv2d } from './layers/separable-conv2d.ts';
import { exportSoftmax } from './layers/softmax.ts';

const EXPORTERS: ReadonlyMap<string, LayerExporter> = new Map([
  ['Activation', exportActivation],
  ['Add', exportAdd],
  ['AveragePooling2D', exportAveragePooling2d],
  ['BatchNormalization', exportBatchNormalization],
  ['Concatenate', exportConcatenate],
  ['Conv2D', exportConv2d],
  ['Dense', exportDense],
  ['DepthwiseConv2D', exportDepthwiseConv2d],
  ['Dropout', exportDropout],
  ['ELU', exportElu],
  ['Flatten', exportFlatten],
  ['GlobalAveragePooling2D', exportGlobalAveragePooling2d],
  ['GlobalMaxPooling2D', exportGlobalMaxPooling2d],
  ['InputLayer', exportInputLayer],
  ['LeakyReLU', exportLeakyRelu],
  ['MaxPooling2D', exportMaxPooling2d],
  ['ReLU', exportRelu],
  ['Reshape', exportReshape],
  ['SeparableConv2D', exportSeparableConv2d],
  ['Softmax', exportSoftmax],
]);

/**
 * The exporter of a layer by its tfjs class name.
 * @throws LAYER_UNSUPPORTED naming the layer and the classes that are supported.
 */
export function exporterOf(layer: Pick<LayerCall, 'layerName' | 'className'>): LayerExporter {
  const exporter = EXPORTERS.get(layer.className);
  if (exporter === undefined) {
    throw unsupported(layer, `supported layers are ${[...EXPORTERS.keys()].join(', ')}`);
  }
  return exporter;
}
