/** Builds ONNX node attributes. */
import { create } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  TensorProto_DataType,
  TensorProtoSchema,
} from './generated/onnx_pb.js';

export function intAttribute(name: string, value: number): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) });
}

export function floatAttribute(name: string, value: number): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.FLOAT, f: value });
}

/** A float32 tensor of one element. */
export function floatTensorAttribute(name: string, value: number): AttributeProto {
  const t = create(TensorProtoSchema, {
    dims: [1n],
    dataType: TensorProto_DataType.FLOAT,
    rawData: new Uint8Array(Float32Array.of(value).buffer),
  });
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.TENSOR, t });
}

export function intsAttribute(name: string, values: readonly number[]): AttributeProto {
  return create(AttributeProtoSchema, {
    name,
    type: AttributeProto_AttributeType.INTS,
    ints: values.map((value) => BigInt(value)),
  });
}
