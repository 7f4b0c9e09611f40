/**
 * `npm run native` where something is missing: one line that says what, the exit code of a refusal, and no build. The
 * build itself downloads hundreds of megabytes and is tried by hand.
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EXIT } from '@freshet/protocol/errors';
import { findNativeBuild, NATIVE_ENTRY, NATIVE_FOLDER } from '@freshet/trainer/learn/backends/native-build';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SCRIPT = join(import.meta.dirname, '../../scripts/native.ts');

/** A program that prints `text` and ends with `exitCode`. */
function program(directory: string, name: string, exitCode: number, text = ''): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\necho '${text}'\nexit ${exitCode}\n`);
  chmodSync(path, 0o755);
  return path;
}

function refusal(args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8' });
  assert.match(stderr, /^npm run native: [^\n]+\n$/);
  assert.equal(stdout, '');
  assert.equal(status, EXIT.refused, stderr);
  return stderr;
}

describe('npm run native', { concurrency: 2 }, () => {
  it('names a Python that is missing', () => {
    assert.match(refusal(['--python', '/nonexistent/python']), /Python \(.*\) is not there: .*--python/);
  });

  it('names a Python without pip', (test) => {
    const directory = temporaryDirectory(test);
    const python = join(directory, 'python');
    writeFileSync(python, '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "No module named pip"; exit 1\n');
    chmodSync(python, 0o755);
    assert.match(
      refusal(['--python', python]),
      /pip \(.*\) does not work: No module named pip: .*python3-pip/,
    );
  });

  it('names a compiler that is missing', (test) => {
    const python = program(temporaryDirectory(test), 'python', 0);
    assert.match(
      refusal(['--python', python, '--compiler', '/nonexistent/g++']),
      /a C\+\+ compiler \(.*\) is not there: .*apt-get install g\+\+.*--compiler/,
    );
  });

  it('refuses a version without the library', () => {
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT, '--tensorflow', '2.9.1'], {
      encoding: 'utf8',
    });
    assert.equal(status, EXIT.usage);
    assert.match(stderr, /from 2\.13\.0 on/);
  });
});

describe('a step that fails', { concurrency: 2 }, () => {
  /** `npm run native` with an npm that prints `text` and ends with `exitCode`. */
  function withNpm(test: TestContext, exitCode: number, text: string): string {
    const directory = temporaryDirectory(test);
    const tool = program(directory, 'tool', 0);
    program(directory, 'npm', exitCode, text);
    const args = [SCRIPT, '--python', tool, '--compiler', tool];
    const env = { ...process.env, PATH: directory };
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
    assert.equal(status, EXIT.refused);
    return stderr;
  }

  it('is shown with the error that the program printed, and leaves nothing behind', (test) => {
    const stderr = withNpm(test, 1, 'npm error code ECONNREFUSED');
    assert.match(
      stderr,
      /: cannot install the sources of tfjs-node with npm \(npm error code ECONNREFUSED\): see that the npm registry/,
    );
    assert.ok(!existsSync(join(NATIVE_FOLDER, '../next')));
  });

  it('is shown with its exit code when it printed nothing', (test) => {
    assert.match(withNpm(test, 7, ''), / with npm \(it ended with exit code 7\): /);
  });
});

describe('a finished build', () => {
  it('is found by its entry', (test) => {
    const folder = temporaryDirectory(test);
    assert.equal(findNativeBuild(folder), null);
    writeFileSync(join(folder, NATIVE_ENTRY), '');
    assert.match(findNativeBuild(folder) ?? '', /^file:\/\/\/.*entry\.cjs$/);
  });
});
