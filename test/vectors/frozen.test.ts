/** The files are what `npm run vectors` writes: nobody edits them by hand, and no change of the code passes them by. */
import { strict as assert } from 'node:assert';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { frozenText, VECTORS_DIRECTORY } from '../support/vectors/frozen-vectors.ts';
import { VECTOR_FILES, vectorTexts } from '../support/vectors/vector-files.ts';

describe('the vectors', () => {
  for (const { file, text } of vectorTexts()) {
    it(file, () => {
      // Not `equal`: its report would be as long as the file.
      assert.ok(
        frozenText(file) === text,
        `the code makes another ${file} than the repository holds. If that is intended, run "npm run vectors" and look ` +
          'at what changes: where it is not only added vectors, raise PROTOCOL_VERSION as well',
      );
    });
  }

  it('are all of the JSON files there', () => {
    const found = readdirSync(VECTORS_DIRECTORY).filter((name) => name.endsWith('.json'));
    assert.deepEqual(found.sort(), Object.keys(VECTOR_FILES).sort());
  });
});
