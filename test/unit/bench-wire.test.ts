/** The bench of the delta format in its smallest form, as a person runs it: its JSON, and what must hold in it. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { EXIT } from '@freshet/protocol/errors';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';

const BENCH = join(import.meta.dirname, '../../scripts/bench.ts');
const ELEMENT_COUNT = 6426;
const DENSITIES = [1e-4, 1e-3, 1e-2, 1e-1];
const CHAIN_LENGTH = 20;
/** Both ends of a payload are whole bytes. */
const PADDING_BITS_MAX = 16;
const SIGNATURE_BYTES = 64;
/** What length fields and frame headers may grow by when a signature comes in. */
const LENGTH_BYTES_MAX = 3;

interface Rival {
  readonly bytes: number | null;
  readonly ms: number | null;
  readonly missing?: string;
}

interface Case {
  readonly model: string;
  readonly density: number;
  readonly format: string;
  readonly changedCount: number;
  readonly bytes: number;
  readonly signedBytes: number;
  readonly bitsPerIndex: number;
  readonly entropyBitsPerIndex: number;
  readonly encodeMs: number;
  readonly applyMs: number;
  readonly rivals: Readonly<Record<string, Rival>> | null;
  readonly rivalsOf: string | null;
  readonly fullModelBytes: number;
  readonly reductionFactor: number;
}

interface Target {
  readonly name: string;
  readonly target: string;
  readonly actual: number | null;
  readonly met: boolean | null;
}

interface Report {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly cases: readonly Case[];
  readonly chains: readonly {
    readonly format: string;
    readonly deltaCount: number;
    readonly rootsEqual: number;
    readonly isIdentical: boolean;
    readonly bytes: number;
  }[];
  readonly targets: readonly Target[];
}

const SMALL = ['wire', '--models', 'tiny', '--budget', '1', '--json'];

async function bench(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Report> {
  const { stdout } = await promisify(execFile)(process.execPath, [BENCH, ...args], { env });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Report;
}

describe('npm run bench -- wire', { concurrency: true }, () => {
  it('measures every density and format, and a chain', async () => {
    const report = await bench([...SMALL, '--rivals', 'none', '--chain', String(CHAIN_LENGTH)]);
    const expected = DENSITIES.flatMap((density) => VALUE_FORMATS.map((format) => [density, format]));
    assert.deepEqual(
      report.cases.map(({ density, format }) => [density, format]),
      expected,
    );
    for (const each of report.cases) assertCase(each);
    assert.deepEqual(
      report.chains.map(({ format, deltaCount, rootsEqual, isIdentical }) => ({
        format,
        deltaCount,
        rootsEqual,
        isIdentical,
      })),
      VALUE_FORMATS.map((format) => ({
        format,
        deltaCount: CHAIN_LENGTH,
        rootsEqual: CHAIN_LENGTH,
        isIdentical: true,
      })),
    );
    for (const name of ['cpu', 'cores', 'memoryBytes', 'os', 'node', 'tools', 'date']) {
      assert.ok(name in report.machine, name);
    }
    assertTargets(report.targets);
  });

  it('says which tools are missing instead of giving them a number', async () => {
    const report = await bench([...SMALL, '--chain', '0'], { PATH: '' });
    for (const { rivals, rivalsOf } of report.cases) {
      assert.equal(rivalsOf, 'f32');
      assert.deepEqual(Object.keys(rivals!).sort(), ['bsdiff', 'naive', 'xdelta3', 'zstd19', 'zstd3']);
      for (const [name, packageName] of Object.entries({
        zstd3: 'zstd',
        bsdiff: 'bsdiff',
        xdelta3: 'xdelta3',
      })) {
        const { bytes, ms, missing } = rivals![name]!;
        assert.deepEqual([bytes, ms], [null, null]);
        assert.match(missing!, new RegExp(`Debian package ${packageName} brings it`));
      }
      assert.ok(rivals!['naive']!.bytes! > 0 && rivals!['naive']!.ms! > 0);
    }
  });

  it('refuses a bench that it does not know in one line', async () => {
    await assert.rejects(bench(['wires']), (error: Error & { code?: number; stderr?: string }) => {
      assert.equal(error.code, EXIT.usage);
      assert.match(error.stderr!, /^npm run bench: unknown command 'wires'[^\n]*\n$/);
      return true;
    });
  });
});

/** Decoding back to the same weights is checked by the bench itself, which fails where it does not. */
function assertCase(each: Case): void {
  assert.equal(each.fullModelBytes, 4 * ELEMENT_COUNT);
  const countMax = Math.max(1, Math.round(each.density * ELEMENT_COUNT));
  assert.ok(
    each.changedCount > 0.9 * countMax && each.changedCount <= countMax,
    `${each.changedCount} changes`,
  );
  assert.ok(each.bytes > 0 && each.encodeMs > 0 && each.applyMs > 0);
  assert.equal(each.reductionFactor, each.fullModelBytes / each.bytes);
  const signatureBytes = each.signedBytes - each.bytes;
  assert.ok(signatureBytes >= SIGNATURE_BYTES && signatureBytes <= SIGNATURE_BYTES + LENGTH_BYTES_MAX);
  assert.equal(each.rivals, null);
  const indexBits = each.bitsPerIndex * each.changedCount;
  const entropyBits = each.entropyBitsPerIndex * each.changedCount;
  assert.ok(
    indexBits <= 1.05 * entropyBits + PADDING_BITS_MAX && 8 * each.bytes > indexBits,
    `${indexBits} bits for ${each.changedCount} positions of ${entropyBits} bits`,
  );
  // (n/k)^k is below C(n, k), and (en/k)^k above.
  const gapBits = Math.log2(ELEMENT_COUNT / each.changedCount);
  assert.ok(each.entropyBitsPerIndex >= gapBits && each.entropyBitsPerIndex <= gapBits + Math.LOG2E);
}

/** Nothing is called met, or missed, that this small run has not measured. */
function assertTargets(targets: readonly Target[]): void {
  for (const { name, target, actual, met } of targets) {
    assert.match(target, /^[≥≤] [\d.]+$/);
    if (name.endsWith('index bits / entropy')) {
      assert.ok(actual !== null && met === actual <= 1.05, name);
    } else if (name.includes('successive deltas')) {
      assert.deepEqual([actual, met], [CHAIN_LENGTH, null], name);
    } else {
      assert.deepEqual([actual, met], [null, null], name);
    }
  }
}
