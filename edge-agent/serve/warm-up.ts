/**
 * The first run of a session, before anyone may ask it: it pays for lazy allocation, and it shows weights that cannot
 * answer. Zeros go in, since every model takes them, and each output has to be finite.
 */
import { FreshetError } from '@freshet/protocol/errors';
import {
  elementCountOf,
  findNonFinite,
  type NamedTensor,
  type TensorSignature,
  zerosOf,
} from '../core/tensor.ts';
import type { OrtSession } from './ort-session.ts';

/** @throws PREDICTOR_FAILED when the run fails, or when an output is NaN or infinite. */
export async function warmUp(session: OrtSession): Promise<void> {
  const { inputs, outputs } = session.signature;
  const results = await session
    .run(
      inputs.map(zerosFor),
      outputs.map(({ name }) => name),
    )
    .catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new FreshetError('PREDICTOR_FAILED', `the warm-up run failed: ${reason}`, { cause });
    });
  for (const output of results) {
    const index = findNonFinite(output);
    if (index === -1) continue;
    throw new FreshetError(
      'PREDICTOR_FAILED',
      `the weights answer zeros with ${output.values[index]} in output "${output.name}"`,
      { details: { output: output.name, index } },
    );
  }
}

/** Dimensions of any length are given length 1. */
function zerosFor({ name, datatype, shape }: TensorSignature): NamedTensor {
  const lengths = shape.map((dimension) => (dimension === -1 ? 1 : dimension));
  return { name, datatype, shape: lengths, values: zerosOf(datatype, elementCountOf(lengths)) };
}
