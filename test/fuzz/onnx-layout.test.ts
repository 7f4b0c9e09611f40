/**
 * Whatever the bytes are: a layout or ONNX_MALFORMED. Where there is a layout it is true: taking the file apart and
 * joining it gives the file back, and a schema-driven protobuf parser finds the same tensors. Inputs are exported
 * models that were damaged.
 */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { FreshetError } from '@freshet/protocol/errors';
import {
  cutWeights,
  extractWeights,
  joinWeights,
  readOnnxLayout,
  type TensorLayout,
} from '@freshet/protocol/onnx-layout';
import { exportOnnx } from '@freshet/trainer/onnx/export-model';
import fc from 'fast-check';
import { type ModelProto, ModelProtoSchema } from '../../trainer/onnx/generated/onnx_pb.js';
import { damage } from '../support/damage.ts';
import '../support/seed.ts';
import { SMALL_MODELS, useCpuBackend } from '../support/tfjs-models.ts';

const TIME_LIMIT_MS = 1000;
const FLOAT = 1;

function layoutOrRefusal(file: Uint8Array): TensorLayout[] | undefined {
  try {
    return readOnnxLayout(file);
  } catch (error) {
    assert(error instanceof FreshetError && error.code === 'ONNX_MALFORMED', `undeclared: ${String(error)}`);
    return undefined;
  }
}

/**
 * What the reference parser reads, where it reads all of it: it lets a field inside a damaged node run past the
 * node's end, and refuses more than the layout does (text that is not UTF-8), so that both then cannot be compared.
 */
function parseExactly(file: Uint8Array): ModelProto | undefined {
  try {
    const parsed = fromBinary(ModelProtoSchema, file);
    return Buffer.from(toBinary(ModelProtoSchema, parsed)).equals(file) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the reference parser had its say, too. */
function assertTrue(file: Uint8Array, layout: readonly TensorLayout[]): boolean {
  const rejoined = joinWeights(cutWeights(file, layout), layout, extractWeights(file, layout));
  assert(Buffer.from(rejoined).equals(file), 'the parts make the whole');
  const parsed = parseExactly(file);
  if (parsed === undefined) return false;
  const expected = (parsed.graph?.initializer ?? []).filter(({ dataType }) => dataType === FLOAT);
  assert.deepEqual(
    layout.map(({ name, shape, fileOffset, elementCount }) => [
      name,
      shape,
      Buffer.from(file.subarray(fileOffset, fileOffset + elementCount * 4)).toString('hex'),
    ]),
    expected.map(({ name, dims, rawData }) => [name, dims.map(Number), Buffer.from(rawData).toString('hex')]),
  );
  return true;
}

describe('fuzz', () => {
  const files: Uint8Array[] = [];

  before(async () => {
    await useCpuBackend();
    for (const what of [
      'flatten of several channels into dense',
      'flatten, reshape, convolution',
      'dense on pixels',
    ]) {
      files.push((await exportOnnx(SMALL_MODELS[what]!(), { modelId: 'fuzz' })).file);
    }
    for (const file of files) assertTrue(file, readOnnxLayout(file));
  });

  it('ONNX files', () => {
    let refused = 0;
    let accepted = 0;
    let compared = 0;
    const pick = fc.nat({ max: 2 });
    fc.assert(
      fc.property(pick, pick, damage, (first, second, apply) => {
        const hostile = apply(files[first]!, files[second]!);
        const layout = layoutOrRefusal(hostile);
        if (layout === undefined) refused++;
        else if (assertTrue(hostile, layout)) compared++;
        else accepted++;
      }),
      { numRuns: 1_000_000, interruptAfterTimeLimit: TIME_LIMIT_MS },
    );
    console.log(`ONNX files: ${refused} refused, ${accepted + compared} read, ${compared} of them compared`);
    assert(refused > 0 && accepted > 0 && compared > 0, 'the damage reaches every outcome');
  });
});
