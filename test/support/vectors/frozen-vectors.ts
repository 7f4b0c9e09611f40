/** The vector files as they are in the repository. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VectorFile, Vectors } from './vector-files.ts';

export const VECTORS_DIRECTORY = join(import.meta.dirname, '../../vectors');

/** The text of `file`, or null where there is no such file yet. */
export function frozenText(file: VectorFile): string | null {
  try {
    return readFileSync(join(VECTORS_DIRECTORY, file), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** What `file` holds. That it is what its type says is checked where it is compared with what the code makes. */
export function frozenVectors<File extends VectorFile>(file: File): Vectors<File> {
  return JSON.parse(readFileSync(join(VECTORS_DIRECTORY, file), 'utf8')) as Vectors<File>;
}
