/** From what is stored of an input to what the model takes. */
import type { InputType, SampleFormat } from '@freshet/protocol/sample-format';
import { stackOf } from './recipe-error.ts';

/** One input as it is stored. */
export type StoredInput = Uint8Array | Float32Array;

/**
 * Fills `floats`, all of it, with finite numbers: what the model takes for the input stored as `stored`. Both have as
 * many elements as the input's shape; both are used again for the next sample. Devices are asked with floats: whoever
 * asks them does the same beforehand.
 */
export type Preprocess = (stored: StoredInput, floats: Float32Array) => void;

export function makeStoredInput(type: InputType, elementCount: number): StoredInput {
  return type === 'uint8' ? new Uint8Array(elementCount) : new Float32Array(elementCount);
}

/**
 * Fills `floats` with the model's input for `stored`. Returns what is wrong with what `preprocess` did, as a sentence
 * that starts with its name, or null; the floats are of no use then.
 */
export function preprocessInto(
  { preprocess }: { readonly format: SampleFormat; readonly preprocess: Preprocess | null },
  stored: StoredInput,
  floats: Float32Array,
): string | null {
  if (preprocess === null) {
    floats.set(stored);
    return null;
  }
  // What is not written stays as it is, and is found below.
  floats.fill(Number.NaN);
  try {
    preprocess(stored, floats);
  } catch (error) {
    return `preprocess threw:\n${stackOf(error)}`;
  }
  const wrong = indexOfNonFinite(floats);
  if (wrong < 0) return null;
  return `preprocess left ${floats[wrong]} at element ${wrong}; it has to fill all elements with finite numbers`;
}

/** A loop: this is done for every sample of every batch, and `findIndex` takes three times as long. */
function indexOfNonFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}
