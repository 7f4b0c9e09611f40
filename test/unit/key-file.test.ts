/** Key files: made for one user, never overwritten, and not used where others can get at them. */
import { strict as assert } from 'node:assert';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { createKeyFile, readKeyFile } from '../../trainer/service/key-file.ts';
import { freshetError } from '../support/serving.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const OPTION = '--signing-key';

it('a key that was made is read back, by its owner only', (test) => {
  const path = join(temporaryDirectory(test), 'publisher.pem');
  const { publicKey } = createKeyFile(path);
  assert.equal(readKeyFile(path, OPTION).publicKey, publicKey);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.match(readFileSync(path, 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/);
});

it('two keys are two', (test) => {
  const directory = temporaryDirectory(test);
  const keys = ['a', 'b'].map((name) => createKeyFile(join(directory, name)).publicKey);
  assert.notEqual(keys[0], keys[1]);
});

it('what is there is not overwritten', (test) => {
  const path = join(temporaryDirectory(test), 'publisher.pem');
  writeFileSync(path, 'the only key to ten thousand devices\n');
  const exists = freshetError('CONFIG_INVALID', /publisher\.pem exists and is not overwritten: give another/);
  assert.throws(() => createKeyFile(path), exists);
  assert.equal(readFileSync(path, 'utf8'), 'the only key to ten thousand devices\n');
});

it('a place that is not there is named', (test) => {
  const path = join(temporaryDirectory(test), 'missing', 'publisher.pem');
  assert.throws(() => createKeyFile(path), freshetError('CONFIG_INVALID', /cannot create .* \(ENOENT\)/));
  const unread = /cannot read --signing-key .*publisher\.pem \(ENOENT\)/;
  assert.throws(() => readKeyFile(path, OPTION), freshetError('CONFIG_INVALID', unread));
});

it('a file that others may read, or a group may write, is not used', {
  skip: process.platform === 'win32' && 'modes mean nothing there',
}, (test) => {
  const path = join(temporaryDirectory(test), 'publisher.pem');
  createKeyFile(path);
  for (const mode of [0o604, 0o602, 0o601, 0o620, 0o644]) {
    chmodSync(path, mode);
    const open = new RegExp(`is open to others \\(mode ${mode.toString(8)}\\).*chmod 600`);
    assert.throws(() => readKeyFile(path, OPTION), freshetError('CONFIG_INVALID', open));
  }
  for (const mode of [0o600, 0o400, 0o440, 0o640]) {
    chmodSync(path, mode);
    readKeyFile(path, OPTION);
  }
});

it('a file without a key says what it should hold', (test) => {
  const path = join(temporaryDirectory(test), 'publisher.pem');
  const noKey = freshetError(
    'CONFIG_INVALID',
    /--signing-key .* holds no ed25519 private key .*freshet key new/,
  );
  for (const text of ['', 'd75a980182b1', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n']) {
    writeFileSync(path, text, { mode: 0o600 });
    assert.throws(() => readKeyFile(path, OPTION), noKey);
  }
  writeFileSync(path, 'x'.repeat(20_000));
  assert.throws(() => readKeyFile(path, OPTION), freshetError('CONFIG_INVALID', /is no key file/));
});
