/**
 * ONNX Runtime behind our own types: the only file that imports it, and it runs in the predictor's thread, because
 * creating a session and running it block the thread that does it.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import type { Datatype, ModelSignature, NamedTensor, TensorSignature, TensorValues } from '../core/tensor.ts';
import type { EngineOptions } from './engine.ts';

// Every error also reaches us as an exception; on stderr it would come twice, and clients with bad inputs could fill a
// device's log. Read once, when the process creates its first session.
env.logLevel = 'fatal';
const LOG_SEVERITY_FATAL = 4;

const DATATYPE_OF_ORT = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
} as const satisfies Partial<Record<Tensor.Type, Datatype>>;

type OrtType = keyof typeof DATATYPE_OF_ORT;

const ORT_OF_DATATYPE = new Map<Datatype, OrtType>(
  Object.keys(DATATYPE_OF_ORT)
    .filter(isOrtType)
    .map((type) => [DATATYPE_OF_ORT[type], type]),
);

export class OrtSession {
  readonly signature: ModelSignature;
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession, signature: ModelSignature) {
    this.#session = session;
    this.signature = signature;
  }

  /**
   * Parses and optimises a complete ONNX file. ONNX Runtime copies what it needs: `file` may change afterwards.
   * @throws PREDICTOR_FAILED when ONNX Runtime refuses the file, or when a tensor of it is of a type we do not serve.
   */
  static async open(file: Uint8Array, options: EngineOptions): Promise<OrtSession> {
    const session = await InferenceSession.create(file, sessionOptions(options)).catch((cause: unknown) => {
      throw new FreshetError('PREDICTOR_FAILED', `ONNX Runtime refuses the model: ${oneLine(cause)}`, {
        cause,
      });
    });
    try {
      const inputs = session.inputMetadata.map((metadata) => tensorSignature('input', metadata));
      const outputs = session.outputMetadata.map((metadata) => tensorSignature('output', metadata));
      return new OrtSession(session, { inputs, outputs });
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /**
   * The outputs named, in that order; their memory belongs to the caller. `inputs` are read without a copy, so they
   * must stay as they are until the promise settles.
   * @throws INPUT_INVALID with ONNX Runtime's reason: types and shapes were right, so it is about the values (an
   * index out of range) or about dimensions that have to agree.
   */
  async run(inputs: readonly NamedTensor[], outputs: readonly string[]): Promise<NamedTensor[]> {
    const feeds = Object.fromEntries(inputs.map((input) => [input.name, ortTensor(input)]));
    const fetched = await this.#session.run(feeds, outputs).catch((cause: unknown) => {
      throw new FreshetError('INPUT_INVALID', `the model cannot compute these inputs: ${oneLine(cause)}`, {
        cause,
      });
    });
    return outputs.map((name) => namedTensor(name, fetched[name]));
  }

  /** Frees the native memory. No call may follow. */
  async release(): Promise<void> {
    await this.#session.release();
  }
}

function sessionOptions({ intraOpThreads }: EngineOptions): InferenceSession.SessionOptions {
  return {
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // An arena keeps the peak of every session; sessions here live from one patch to the next.
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: LOG_SEVERITY_FATAL,
    // Idle threads that spin cost a battery more than the few microseconds they save.
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  };
}

function tensorSignature(
  role: 'input' | 'output',
  metadata: InferenceSession.ValueMetadata,
): TensorSignature {
  const { name } = metadata;
  if (!metadata.isTensor || !isOrtType(metadata.type)) {
    const type = metadata.isTensor ? metadata.type : 'not a tensor';
    throw new FreshetError(
      'PREDICTOR_FAILED',
      `${role} "${name}" of the model is ${type}; only numbers and booleans are served`,
    );
  }
  const shape = metadata.shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1));
  return { name, datatype: DATATYPE_OF_ORT[metadata.type], shape };
}

function isOrtType(type: string): type is OrtType {
  return Object.hasOwn(DATATYPE_OF_ORT, type);
}

function ortTensor({ datatype, values, shape }: NamedTensor): Tensor {
  const type = ORT_OF_DATATYPE.get(datatype);
  assert(type !== undefined, `${datatype} has a type in ONNX Runtime`);
  // The constructor's overloads each take one type; ours are paired by the two tables instead.
  return new Tensor(type as 'float32', values as Float32Array, shape);
}

function namedTensor(name: string, tensor: InferenceSession.ReturnType[string] | undefined): NamedTensor {
  assert(tensor !== undefined && isOrtType(tensor.type), `output "${name}" is of the type in the signature`);
  const datatype = DATATYPE_OF_ORT[tensor.type];
  return { name, datatype, shape: [...tensor.dims], values: valuesOf(tensor) };
}

function valuesOf(tensor: Tensor): TensorValues {
  const { data } = tensor;
  assert(!Array.isArray(data), 'no output of the signature holds strings');
  // Newer Nodes hand out a Float16Array here; the bits are the same.
  if (tensor.type === 'float16') return new Uint16Array(data.buffer, data.byteOffset, data.length);
  return data;
}

function oneLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error)
    .replace(/\s+/g, ' ')
    .trim();
}
