/**
 * The window that a convolution or pooling slides over an image, as ONNX attributes. tfjs's 'same' pads as
 * TensorFlow does: by what the input size and stride need, the odd one at the bottom and right. Sizes are static
 * here, so the padding is written out, as ONNX asks of exporters, instead of naming a rule (auto_pad).
 */
import { assert } from '@freshet/protocol/assert';
import { intsAttribute } from './attributes.ts';
import type { AttributeProto } from './generated/onnx_pb.js';
import { choiceOption, type LayerCall, type Pair, pairOption, soleImageInput } from './layer-call.ts';

/** Attributes kernel_shape, strides and pads for a layer with options strides and padding. */
export function windowAttributes(call: LayerCall, kernel: Pair, dilations: Pair): AttributeProto[] {
  const strides = pairOption(call, 'strides');
  const padding = choiceOption(call, 'padding', ['valid', 'same']);
  const inputShape = soleImageInput(call).shape;
  const padAxis = (axis: 0 | 1): AxisPadding => {
    const span = (kernel[axis] - 1) * dilations[axis] + 1;
    return axisPadding(inputShape[axis]!, call.outputShape[axis]!, span, strides[axis], padding);
  };
  const vertical = padAxis(0);
  const horizontal = padAxis(1);
  return [
    intsAttribute('kernel_shape', kernel),
    intsAttribute('strides', strides),
    intsAttribute('pads', [vertical.before, horizontal.before, vertical.after, horizontal.after]),
  ];
}

interface AxisPadding {
  readonly before: number;
  readonly after: number;
}

function axisPadding(
  inputSize: number,
  outputSize: number,
  span: number,
  stride: number,
  padding: 'valid' | 'same',
): AxisPadding {
  if (padding === 'valid') {
    assert(outputSize === Math.floor((inputSize - span) / stride) + 1, "tfjs's output size for 'valid'");
    return { before: 0, after: 0 };
  }
  assert(outputSize === Math.ceil(inputSize / stride), "tfjs's output size for 'same'");
  const total = Math.max(0, (outputSize - 1) * stride + span - inputSize);
  const before = Math.floor(total / 2);
  return { before, after: total - before };
}
