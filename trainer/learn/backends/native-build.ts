/** Where `npm run native` puts the TensorFlow addon that it builds, and how it is found there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Below the root of the repository, so that what the addon requires of tfjs resolves to the copy that the trainer uses,
 * and outside of node_modules, which npm cleans.
 */
export const NATIVE_FOLDER = join(import.meta.dirname, '../../../.native/build');

/** In such a folder: what is imported. */
export const NATIVE_ENTRY = 'entry.cjs';

/** The environment variable that names another folder: a build is tried where it is made. */
export const NATIVE_VARIABLE = 'FRESHET_NATIVE';

/** The URL to import for the addon built on this machine, or null where there is none. */
export function findNativeBuild(folder = process.env[NATIVE_VARIABLE] ?? NATIVE_FOLDER): string | null {
  const entry = join(folder, NATIVE_ENTRY);
  return existsSync(entry) ? pathToFileURL(entry).href : null;
}
