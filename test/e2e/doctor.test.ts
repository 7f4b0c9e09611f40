/** `freshet doctor`, and the examination behind it: real child processes, good ones and ones that crash or hang. */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { automaticChoice } from '@freshet/trainer/cli/doctor';
import { BACKEND_NAMES } from '@freshet/trainer/learn/backends/backend';
import { type ExaminationProgram, examineBackend } from '@freshet/trainer/learn/doctor/examination';
import { runCommand } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const QUICK = { batchCount: 2, budgetMs: 1, timeoutMs: 60_000 };
const REMEDY_OF_CRASH = 'name another with --backend, and mend or remove the library that crashes';

/** A module to be run in place of an examination. */
function childOf(test: TestContext, source: string): ExaminationProgram {
  const path = join(temporaryDirectory(test), 'child.mjs');
  writeFileSync(path, source);
  return { module: path, args: [] };
}

describe('examination of a backend', { concurrency: 2 }, () => {
  it('says what it runs on and how long a step takes', async () => {
    const finding = await examineBackend('wasm', QUICK);
    assert.equal(finding.kind, 'runs');
    assert.equal(finding.adapter, 'WebAssembly with SIMD, 1 thread');
    assert.ok(finding.stepMs > 0 && finding.stepCount >= 1);
  });

  it('survives a crash in native code, and says how it ended', async (test) => {
    const child = childOf(
      test,
      "process.stderr.write('starting\\nCUDA error: no\\n', () => process.abort());",
    );
    assert.deepEqual(await examineBackend('tfjs-node', QUICK, child), {
      kind: 'unusable',
      reason: 'crashes: its process was killed by SIGABRT (CUDA error: no)',
      remedy: REMEDY_OF_CRASH,
    });
  });

  it('survives an end without a finding', async (test) => {
    assert.deepEqual(await examineBackend('webgpu', QUICK, childOf(test, 'process.exit(9);')), {
      kind: 'unusable',
      reason: 'crashes: its process ended with exit code 9',
      remedy: REMEDY_OF_CRASH,
    });
  });

  it('stops one that hangs', async (test) => {
    const child = childOf(test, 'setInterval(() => undefined, 1000);');
    const finding = await examineBackend('tfjs-node', { ...QUICK, timeoutMs: 300 }, child);
    assert.equal(finding.kind, 'unusable');
    assert.equal(finding.reason, 'took longer than 0.3 s to start and to train a few steps');
  });
});

describe('freshet doctor', { concurrency: 2 }, () => {
  it('prints what runs, and what to do about what does not', async () => {
    const outcome = await runCommand('freshet', ['doctor', '--json', '--backends', 'wasm', 'webgpu'], {
      env: { VK_ICD_FILENAMES: '/nonexistent/icd.json' },
    });
    assert.equal(outcome.exitCode, 0, outcome.stderr);
    assert.equal(outcome.stderr, '');
    const { backends, auto, ...rest } = JSON.parse(outcome.stdout);
    assert.deepEqual(rest, { model: 'lenet5', batchCount: 128 });
    assert.equal(auto, 'wasm');
    const [webgpu, wasm] = backends;
    assert.deepEqual([webgpu.backend, webgpu.runs], ['webgpu', false]);
    assert.ok(webgpu.reason.length > 0 && webgpu.remedy.length > 0);
    assert.deepEqual([wasm.backend, wasm.runs], ['wasm', true]);
    assert.ok(wasm.stepMs > 0);
  });

  it('prints the same for a person', async () => {
    const { stdout } = await runCommand('freshet', ['doctor', '--backends', 'wasm']);
    assert.match(stdout, /^wasm +[\d.,]+ ms a step, on WebAssembly/);
    assert.match(stdout, /\n\nOf these, `freshet start` would take wasm first\.\n$/);
  });

  it('does not count on a GPU that a processor plays', () => {
    const fit = { kind: 'runs', adapter: 'x', stepMs: 1, stepCount: 1, weightCount: 1 } as const;
    const unfit = { kind: 'unusable', reason: 'x', remedy: 'y' } as const;
    const diagnoses = (webgpu: object) =>
      BACKEND_NAMES.map((backend) => ({
        backend,
        finding: backend === 'webgpu' ? { ...fit, ...webgpu } : backend === 'wasm' ? fit : unfit,
      }));
    assert.equal(automaticChoice(diagnoses({ onRequestOnly: true })), 'wasm');
    assert.equal(automaticChoice(diagnoses({})), 'webgpu');
    assert.equal(automaticChoice([{ backend: 'cpu', finding: unfit }]), null);
  });
});
