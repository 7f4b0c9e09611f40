/**
 * Collects the parts of an ONNX graph while the layers of a tfjs model are written one by one, and keeps names unique.
 *
 * Weights become initializers already in ONNX's element order; never a Transpose of an initializer or a Constant
 * node: ONNX Runtime folds those into new constants, and patching the original would then change nothing. A float
 * initializer is always a bound weight, because that is what the canonical layout takes it for.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { bindingElementCount, gatherCanonical, type WeightBinding } from './canonical-weights.ts';
import {
  type AttributeProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataType,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './generated/onnx_pb.js';

/** ONNX 1.12 (2022): new enough for every operator used here, old enough for any ONNX Runtime still in service. */
const OPSET_VERSION = 17;
const IR_VERSION = 8;

/** The batch dimension is free, whatever batch size the tfjs model was declared with. */
const BATCH_DIMENSION = 'N';

/** Names of the graph's input and output, whatever the layers are called. */
export const INPUT_NAME = 'input';
export const OUTPUT_NAME = 'output';

/** A tensor that the graph takes or gives; `shape` without the batch dimension. */
interface GraphPort {
  readonly name: string;
  readonly shape: readonly number[];
}

export class OnnxGraphBuilder {
  readonly #weightValues: ReadonlyMap<string, Float32Array>;
  readonly #names: Set<string>;
  readonly #inputs: GraphPort[] = [];
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #bindings = new Map<string, WeightBinding>();

  /** `weightValues`: each weight in tfjs's order, by `LayerVariable.originalName`; copied when bound. */
  constructor(weightValues: ReadonlyMap<string, Float32Array>) {
    this.#weightValues = weightValues;
    this.#names = new Set([...weightValues.keys(), OUTPUT_NAME]);
  }

  /** The bound weights in canonical order. */
  get bindings(): WeightBinding[] {
    return [...this.#bindings.values()];
  }

  /** Adds a float32 graph input of `shape` (without the batch dimension) and returns its name. */
  addInput(shape: readonly number[]): string {
    const input = { name: this.#uniqueName(INPUT_NAME), shape };
    this.#inputs.push(input);
    return input.name;
  }

  /** Adds a node with one output; returns the output's name: `outputName`, or one made from it if that is taken. */
  addNode(
    opType: string,
    inputNames: readonly string[],
    outputName: string,
    attributes: AttributeProto[] = [],
  ): string {
    const name = this.#uniqueName(outputName);
    this.#nodes.push(
      create(NodeProtoSchema, {
        name,
        opType,
        input: [...inputNames],
        output: [name],
        attribute: attributes,
      }),
    );
    return name;
  }

  /** Adds an integer constant (a target shape, say), which is no weight; returns its name. */
  addIntegers(name: string, values: readonly number[]): string {
    const rawData = new Uint8Array(BigInt64Array.from(values, (value) => BigInt(value)).buffer);
    const initializer = create(TensorProtoSchema, {
      name: this.#uniqueName(name),
      dims: [BigInt(values.length)],
      dataType: TensorProto_DataType.INT64,
      rawData,
    });
    this.#initializers.push(initializer);
    return initializer.name;
  }

  /**
   * Makes a weight an initializer of `shape` whose element i is tfjs element `toCanonical[i]` (null: the same order),
   * and returns its name. A weight that is used twice (a shared layer) is bound once.
   * @throws LAYER_UNSUPPORTED when two uses need the weight in different orders.
   */
  bindWeight(weight: LayerVariable, shape: readonly number[], toCanonical: Uint32Array | null): string {
    const name = weight.originalName;
    const binding: WeightBinding = { initializerName: name, tfjsWeightName: name, shape, toCanonical };
    const earlier = this.#bindings.get(name);
    if (earlier !== undefined) {
      if (isSameBinding(earlier, binding)) return name;
      throw new FreshetError(
        'LAYER_UNSUPPORTED',
        `weight "${name}" is shared by layers that need it in different element orders; give each its own weights`,
        { details: { weight: name } },
      );
    }
    const values = this.#weightValues.get(name);
    assert(values !== undefined, `weight ${name} belongs to the exported model`);
    const canonical = new Float32Array(bindingElementCount(binding));
    gatherCanonical([binding], () => values, canonical);
    this.#bindings.set(name, binding);
    this.#initializers.push(
      create(TensorProtoSchema, {
        name,
        dims: shape.map((dimension) => BigInt(dimension)),
        dataType: TensorProto_DataType.FLOAT,
        rawData: new Uint8Array(canonical.buffer),
      }),
    );
    return name;
  }

  /**
   * The complete ONNX file with the one output that tensor `outputTensor` of `outputShape` becomes. The same calls
   * give the same bytes. To be called once.
   */
  build(modelId: string, outputTensor: string, outputShape: readonly number[]): Uint8Array {
    this.#nameOutput(outputTensor);
    const model = create(ModelProtoSchema, {
      irVersion: BigInt(IR_VERSION),
      opsetImport: [{ domain: '', version: BigInt(OPSET_VERSION) }],
      producerName: 'freshet',
      graph: {
        name: modelId,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs.map(valueInfo),
        output: [valueInfo({ name: OUTPUT_NAME, shape: outputShape })],
      },
    });
    return toBinary(ModelProtoSchema, model);
  }

  #nameOutput(tensorName: string): void {
    const producer = this.#nodes.find((node) => node.output[0] === tensorName);
    if (producer === undefined) {
      // A graph input: ONNX does not allow one tensor to be input and output.
      this.#nodes.push(
        create(NodeProtoSchema, {
          name: OUTPUT_NAME,
          opType: 'Identity',
          input: [tensorName],
          output: [OUTPUT_NAME],
        }),
      );
      return;
    }
    // Nothing else can use the tensor: all that was written leads to it.
    producer.output[0] = OUTPUT_NAME;
  }

  #uniqueName(wanted: string): string {
    let name = wanted;
    for (let suffix = 1; this.#names.has(name); suffix++) name = `${wanted}_${suffix}`;
    this.#names.add(name);
    return name;
  }
}

function isSameBinding(a: WeightBinding, b: WeightBinding): boolean {
  return (
    a.shape.join() === b.shape.join() &&
    (a.toCanonical === b.toCanonical ||
      (a.toCanonical !== null &&
        b.toCanonical !== null &&
        a.toCanonical.every((position, i) => position === b.toCanonical?.[i])))
  );
}

function valueInfo({ name, shape }: GraphPort): ValueInfoProto {
  const batch = { value: { case: 'dimParam' as const, value: BATCH_DIMENSION } };
  const dimensions = shape.map((size) => ({ value: { case: 'dimValue' as const, value: BigInt(size) } }));
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: { elemType: TensorProto_DataType.FLOAT, shape: { dim: [batch, ...dimensions] } },
      },
    },
  });
}
