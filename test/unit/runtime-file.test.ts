/** The file by which commands find a process: nobody else's eyes, never half a file, never another process's removed. */
import { strict as assert } from 'node:assert';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RuntimeFile } from '@freshet/protocol/local/runtime-file';
import { freshetError } from '../support/serving.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const RECORD = { pid: 42, url: 'http://127.0.0.1:7500', adminToken: 'secret' };

describe('runtime file', () => {
  it('is read back, and gone when its process removes it', (test) => {
    const directory = temporaryDirectory(test);
    const file = new RuntimeFile(directory, 'agent');
    assert.equal(file.read(), null);
    file.write(RECORD);
    assert.deepEqual(new RuntimeFile(directory, 'agent').read(), RECORD);
    assert.deepEqual(readdirSync(directory), ['agent.json']);
    file.remove();
    assert.deepEqual(readdirSync(directory), []);
  });

  it('is for its owner only, whatever was there before', {
    skip: process.platform === 'win32' && 'no file modes',
  }, (test) => {
    const directory = temporaryDirectory(test);
    const path = join(directory, 'agent.json');
    writeFileSync(path, 'left by a killed process', { mode: 0o644 });
    new RuntimeFile(directory, 'agent').write(RECORD);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('of another process stays', (test) => {
    const directory = temporaryDirectory(test);
    new RuntimeFile(directory, 'trainer').write(RECORD);
    new RuntimeFile(directory, 'trainer').remove();
    assert(existsSync(join(directory, 'trainer.json')));
  });

  it('that is damaged is named', (test) => {
    const directory = temporaryDirectory(test);
    const path = join(directory, 'trainer.json');
    for (const text of ['', '{', '{}', '[]', '{"pid": "1", "url": "http://h", "adminToken": "t"}']) {
      writeFileSync(path, text);
      const says = /trainer\.json is damaged: remove it, and if the trainer is running start it again/;
      assert.throws(() => new RuntimeFile(directory, 'trainer').read(), freshetError('STORE_CORRUPT', says));
    }
  });

  it('that cannot be written is a failure of the disk, and leaves what was there', (test) => {
    const directory = temporaryDirectory(test);
    mkdirSync(join(directory, 'agent.json'));
    writeFileSync(join(directory, 'agent.json', 'something'), 'dear');
    const file = new RuntimeFile(directory, 'agent');
    const says = /cannot write .*agent\.json \(\w+\): check free space and permissions/;
    assert.throws(() => file.write(RECORD), freshetError('STORE_WRITE_FAILED', says));
    file.remove();
    assert.equal(readFileSync(join(directory, 'agent.json', 'something'), 'utf8'), 'dear');
  });
});
