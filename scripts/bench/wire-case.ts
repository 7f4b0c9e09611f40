/** Measures one publication: its bytes, and how long they take to make and to take in. */
import { assert } from '@freshet/protocol/assert';
import type { SparseDelta } from '@freshet/protocol/delta';
import { encodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { asSignature } from '@freshet/protocol/ids';
import { bitsPerIndex, entropyBitsPerIndex } from './index-bits.ts';
import { medianMs } from './measure.ts';
import { type LastPublication, messageOf, wireBytesOf } from './publication.ts';
import { Replica } from './replica.ts';
import type { WireCase } from './wire-report.ts';

type Measurements = Omit<WireCase, 'model' | 'density' | 'format' | 'rivals' | 'rivalsOf'>;

/** Any 64 bytes cost what a real one costs. */
const SIGNATURE = asSignature('5a'.repeat(64));

/** `budgetMs`: about how long each of the two times is measured. */
export function measureCase(publication: LastPublication, budgetMs: number): Measurements {
  const { model, base, delta, values, payload } = publication;
  const message = messageOf(publication, payload, null);
  const bytes = wireBytesOf(message);
  const encode = () => {
    messageOf(publication, encodeDeltaPayload(delta, base, model, values), null);
  };
  const { elementCount, fileBytes } = model;
  return {
    changedCount: delta.indices.length,
    bytes,
    signedBytes: wireBytesOf(messageOf(publication, payload, SIGNATURE)),
    bitsPerIndex: bitsPerIndex(delta.indices, elementCount),
    entropyBitsPerIndex: entropyBitsPerIndex(elementCount, delta.indices.length),
    encodeMs: medianMs({ run: encode }, budgetMs),
    applyMs: measureApply(publication, message, budgetMs),
    fullModelBytes: fileBytes,
    reductionFactor: fileBytes / bytes,
  };
}

/** Every run starts from the base, and has to end at the publisher's root. */
function measureApply({ model, base, root }: LastPublication, message: Buffer, budgetMs: number): number {
  const replica = new Replica(base, model);
  let undo: SparseDelta | null = null;
  const run = () => {
    const applied = replica.apply(message);
    assert(applied.root === root, 'the replica gets to the root of the publisher');
    undo = applied.undo;
  };
  const reset = () => {
    assert(undo !== null, 'there is something to take back');
    replica.takeBack(undo);
  };
  return medianMs({ run, reset }, budgetMs);
}
