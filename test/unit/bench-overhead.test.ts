/** The bench of what publishing costs in its smallest form, as a person runs it: its JSON, and what must hold in it. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const BENCH = join(import.meta.dirname, '../../scripts/bench.ts');

interface Case {
  readonly backend: string;
  readonly model: string;
  readonly elementCount: number;
  readonly batchCount: number;
  readonly density: number;
  readonly rounds: number;
  readonly publishEvery: number;
  readonly stepMs: number;
  readonly readMs: number;
  readonly sparsifyMs: number;
  readonly encodeMs: number;
  readonly digestMs: number;
  readonly changedCount: number;
  readonly payloadBytes: number;
  readonly overheadFactor: number;
  readonly overheadFactorWithDigest: number;
  readonly clockFactor: number;
}

describe('npm run bench -- overhead', () => {
  it('measures LeNet-5 at every density', async () => {
    const options = [
      '--backends',
      'wasm',
      '--models',
      'lenet5',
      '--publish-every',
      '2',
      '--budget',
      '1',
      '--json',
    ];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [BENCH, 'overhead', ...options]);
    const report = JSON.parse(stdout) as { bench: string; cases: readonly Case[]; absent: unknown[] };
    assert.equal(report.bench, 'overhead');
    assert.deepEqual(report.absent, []);
    assert.deepEqual(
      report.cases.map(({ backend, model, elementCount, batchCount, density, changedCount }) => [
        ...[backend, model, elementCount, batchCount],
        ...[density, changedCount],
      ]),
      [
        ['wasm', 'lenet5', 61_706, 128, 0.01, 617],
        ['wasm', 'lenet5', 61_706, 128, 0.001, 62],
        ['wasm', 'lenet5', 61_706, 128, 0.0001, 6],
      ],
    );
    for (const each of report.cases) {
      assert.ok(each.rounds >= 5 && each.publishEvery === 2);
      assert.ok(each.stepMs > 0 && each.readMs > 0 && each.encodeMs > 0 && each.digestMs > 0);
      assert.ok(each.sparsifyMs > each.readMs && each.clockFactor > 0);
      const steps = each.publishEvery * each.stepMs;
      const factor = (steps + each.sparsifyMs + each.encodeMs) / steps;
      assert.ok(Math.abs(each.overheadFactor - factor) < 1e-9);
      assert.ok(each.overheadFactorWithDigest > each.overheadFactor);
    }
    const sizes = report.cases.map(({ payloadBytes }) => payloadBytes);
    assert.ok(sizes[0]! > sizes[1]! && sizes[1]! > sizes[2]! && sizes[2]! > 0, `${sizes}`);
    assert.match(stderr, /BACKEND +MODEL +DENSITY/);
  });
});
