/** The bench of the backends in its smallest form, as a person runs it: its JSON, and what must hold in it. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const BENCH = join(import.meta.dirname, '../../scripts/bench.ts');

interface Case {
  readonly backend: string;
  readonly model: string;
  readonly weightCount: number;
  readonly batchCount: number;
  readonly adapter: string;
  readonly stepMs: number;
  readonly stepCount: number;
}

interface Absent {
  readonly backend: string;
  readonly model: string;
  readonly reason: string;
  readonly remedy: string;
}

interface Report {
  readonly bench: string;
  readonly machine: { readonly cpu: string; readonly node: string };
  readonly cases: readonly Case[];
  readonly absent: readonly Absent[];
}

async function bench(...args: string[]): Promise<Report> {
  const all = [BENCH, 'backends', '--json', '--budget', '1', ...args];
  const { stdout } = await promisify(execFile)(process.execPath, all);
  assert.equal(stdout.split('\n').length, 2, 'one line');
  return JSON.parse(stdout) as Report;
}

describe('bench of the backends', () => {
  it('has a time and an adapter for each that runs, and a reason for each that does not', async () => {
    const {
      bench: name,
      machine,
      cases,
      absent,
    } = await bench('--backends', 'wasm', 'webgpu', '--batch', '1');
    assert.equal(name, 'backends');
    assert.equal(machine.node, process.version);
    const wasm = cases.filter(({ backend }) => backend === 'wasm');
    assert.deepEqual(
      wasm.map(({ model, weightCount, batchCount }) => ({ model, weightCount, batchCount })),
      [
        { model: 'lenet5', weightCount: 61_706, batchCount: 1 },
        // As many as resnet18-tensors.ts lists.
        { model: 'resnet18', weightCount: 11_173_962, batchCount: 1 },
      ],
    );
    for (const { adapter, stepMs, stepCount } of cases) {
      assert.ok(adapter !== '' && stepMs > 0 && stepCount >= 1);
    }
    const covered = new Set([...cases, ...absent].map(({ backend }) => backend));
    assert.deepEqual([...covered].sort(), ['wasm', 'webgpu']);
    for (const { reason, remedy } of absent) assert.ok(reason !== '' && remedy !== '');
  });

  it('does not try a larger model with a backend that was too slow for a small one', async () => {
    // No computer trains 8192 digits in plain JavaScript within a second.
    const { cases, absent } = await bench('--backends', 'cpu', '--batch', '8192', '--timeout', '1');
    assert.deepEqual(cases, []);
    assert.deepEqual(
      absent.map(({ backend, model, reason }) => [backend, model, reason]),
      [['cpu', 'lenet5', 'took longer than 1 s to start and to train a few steps']],
    );
  });
});
