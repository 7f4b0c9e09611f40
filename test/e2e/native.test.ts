/**
 * `npm run native` where something is missing: one line that says what, the exit code of a refusal, and no build. The
 * build itself downloads hundreds of megabytes and is tried by hand.
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EXIT } from '@freshet/protocol/errors';
import { findNativeBuild, NATIVE_ENTRY } from '@freshet/trainer/learn/backends/native-build';
import { buildNative } from '../../scripts/native/build.ts';
import { runStep } from '../../scripts/native/tools.ts';
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

describe('a build that fails', () => {
  const steps = { purpose: 'do it', remedy: 'do it otherwise', cwd: '/' };

  /** A build that cannot go on after its first step: its registry is a closed port. */
  async function broken(test: TestContext, folder: string): Promise<unknown> {
    const tool = program(temporaryDirectory(test), 'tool', 0);
    mkdirSync(folder);
    writeFileSync(join(folder, NATIVE_ENTRY), '');
    writeFileSync(join(folder, '.npmrc'), 'registry=http://127.0.0.1:9\nfetch-retries=0\n');
    const options = { folder, cuda: false, tensorflow: '2.21.0', python: tool, compiler: tool };
    return buildNative(options, () => undefined).then(
      () => assert.fail('it was built'),
      (error: unknown) => error,
    );
  }

  it('leaves none behind that the trainer would take', async (test) => {
    const folder = join(temporaryDirectory(test), 'native');
    const error = await broken(test, folder);
    assert.ok(error instanceof Error);
    assert.match(
      error.message,
      /^cannot install the sources of tfjs-node with npm \(.+\): see that the npm registry/,
    );
    assert.ok(!existsSync(join(folder, NATIVE_ENTRY)));
    assert.equal(findNativeBuild(folder), null);
  });

  it('shows what the program printed', async (test) => {
    const directory = temporaryDirectory(test);
    const noisy = program(directory, 'noisy', 1, 'x.cc:1: error: no such type');
    await assert.rejects(runStep(noisy, [], steps), {
      code: 'BACKEND_UNAVAILABLE',
      message: 'cannot do it (x.cc:1: error: no such type): do it otherwise',
    });
    const silent = program(directory, 'silent', 7);
    await assert.rejects(runStep(silent, [], steps), {
      message: /^cannot do it \(it ended with exit code 7\)/,
    });
    await assert.rejects(runStep('/nonexistent/tool', [], steps), {
      message: /\/nonexistent\/tool is not there/,
    });
    await runStep(program(directory, 'good', 0), [], steps);
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
