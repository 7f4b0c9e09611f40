/** A process that calls `process.exit(7)` while its predictor is inside a run of ONNX Runtime. */
import { readOnnxLayout } from '@freshet/protocol/onnx-layout';
import { PREDICTOR_DEFAULTS, WorkerPredictor } from '../../edge-agent/serve/predictor.ts';
import { lenetModel } from './onnx-models.ts';
import { positionOf } from './serving.ts';

const predictor = new WorkerPredictor({
  ...PREDICTOR_DEFAULTS,
  onFailure: (error) => {
    throw error;
  },
});
const infer = (batch: number) =>
  predictor.infer({
    inputs: [
      { name: 'image', datatype: 'FP32', shape: [batch, 1, 28, 28], values: new Float32Array(batch * 784) },
    ],
  });
const file = lenetModel(1);
await predictor.load(file, readOnnxLayout(file), positionOf(1));
// The second takes tens of milliseconds and begins as soon as the first is answered.
void infer(1).then(() => process.exit(7));
void infer(4096);
