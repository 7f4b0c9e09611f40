/** The files in test/vectors: what they are called, and their text. */
import { deltaVectors } from './delta-vectors.ts';
import { digestVectors } from './digest-vectors.ts';
import { messageVectors } from './message-vectors.ts';
import { signatureVectors } from './signature-vectors.ts';
import { chunkVectors } from './snapshot-chunk-vectors.ts';
import { vectorText } from './vector-text.ts';

export const VECTOR_FILES = {
  'delta.json': deltaVectors,
  'digest.json': digestVectors,
  'messages.json': messageVectors,
  'signatures.json': signatureVectors,
  'snapshot-chunk.json': chunkVectors,
} as const;

export type VectorFile = keyof typeof VECTOR_FILES;
/** What a file holds. */
export type Vectors<File extends VectorFile> = ReturnType<(typeof VECTOR_FILES)[File]>;

/** Every file with the text that the code as it is makes of it; the same on every machine. */
export function vectorTexts(): { readonly file: VectorFile; readonly text: string }[] {
  return Object.entries(VECTOR_FILES).map(([file, make]) => ({
    file: file as VectorFile,
    text: vectorText(make()),
  }));
}
