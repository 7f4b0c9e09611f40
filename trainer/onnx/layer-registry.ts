/** Which exporter writes which tfjs layer. A new layer is a new file in `layers/` and a line here. */
import { type LayerCall, type LayerExporter, unsupported } from './layer-call.ts';
import { exportActivation } from './layers/activation.ts';
import { exportAveragePooling2d } from './layers/average-pooling2d.ts';
import { exportConv2d } from './layers/conv2d.ts';
import { exportDense } from './layers/dense.ts';
import { exportDropout } from './layers/dropout.ts';
import { exportFlatten } from './layers/flatten.ts';
import { exportInputLayer } from './layers/input-layer.ts';
import { exportMaxPooling2d } from './layers/max-pooling2d.ts';
import { exportRelu } from './layers/relu.ts';
import { exportReshape } from './layers/reshape.ts';
import { exportSoftmax } from './layers/softmax.ts';

const EXPORTERS: ReadonlyMap<string, LayerExporter> = new Map([
  ['Activation', exportActivation],
  ['AveragePooling2D', exportAveragePooling2d],
  ['Conv2D', exportConv2d],
  ['Dense', exportDense],
  ['Dropout', exportDropout],
  ['Flatten', exportFlatten],
  ['InputLayer', exportInputLayer],
  ['MaxPooling2D', exportMaxPooling2d],
  ['ReLU', exportRelu],
  ['Reshape', exportReshape],
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
