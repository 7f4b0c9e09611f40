/** Answers of the Open Inference Protocol v2 as plain JSON values. Weights versions are the model versions. */
import type { Position, WeightsVersion } from '@freshet/protocol/ids';
import type { ModelSignature, NamedTensor, TensorSignature } from './tensor.ts';
import { valuesToJson } from './tensor-json.ts';

/** @throws PREDICTOR_FAILED for an output that JSON cannot express. */
export function inferResponse(
  modelId: string,
  position: Position,
  outputs: readonly NamedTensor[],
  id: string | null,
) {
  return {
    model_name: modelId,
    model_version: String(position.version),
    ...(id !== null && { id }),
    parameters: { root: position.root },
    outputs: outputs.map((output) => ({
      name: output.name,
      datatype: output.datatype,
      shape: output.shape,
      data: valuesToJson(output),
    })),
  };
}

/** `versions`: all that are stored; only `served` answers inferences. */
export function modelMetadata(
  modelId: string,
  versions: readonly WeightsVersion[],
  served: Position,
  signature: ModelSignature,
) {
  return {
    name: modelId,
    versions: versions.map(String),
    platform: 'onnxruntime_onnx',
    inputs: signature.inputs.map(tensorMetadata),
    outputs: signature.outputs.map(tensorMetadata),
    parameters: { served_version: String(served.version), root: served.root },
  };
}

function tensorMetadata({ name, datatype, shape }: TensorSignature) {
  return { name, datatype, shape };
}
