/** Runs an ONNX file once in ONNX Runtime. */
import * as ort from 'onnxruntime-node';

export interface OnnxRun {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/** The graph's one float32 output for `values` of `shape` at its one input. */
export async function runOnnx(
  file: Uint8Array,
  values: Float32Array,
  shape: readonly number[],
): Promise<OnnxRun> {
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  try {
    const feeds = { [session.inputNames[0]!]: new ort.Tensor('float32', values, shape) };
    const output = (await session.run(feeds))[session.outputNames[0]!]!;
    if (!(output.data instanceof Float32Array)) throw new TypeError(`the output is ${output.type}`);
    return { values: output.data, shape: output.dims };
  } finally {
    await session.release();
  }
}
