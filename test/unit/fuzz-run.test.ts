/** The fuzzer itself: that it finds what it is for, in decoders with faults of every kind, and finds it again. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { EXIT, FreshetError } from '@freshet/protocol/errors';
import { drawFrame, fuzzFrame, type PreparedTarget, prepare } from '../support/fuzz/fuzz-frame.ts';
import { type FuzzReport, fuzzRun } from '../support/fuzz/fuzz-run.ts';
import type { FuzzTarget } from '../support/fuzz/fuzz-target.ts';
import { describeFault } from '../support/fuzz/fuzz-text.ts';

const FUZZ = join(import.meta.dirname, '../../scripts/fuzz.ts');
const SEED = 7;
const FRAMES = 4096;
const forever = { frames: FRAMES, goOn: () => true };

/** Inputs are 1 to 8 bytes, the first of them their number; what else a decoder does with them is its fault. */
function targetWith(fault: (bytes: Uint8Array) => void): FuzzTarget {
  const decode = (bytes: Uint8Array): Uint8Array => {
    if (bytes[0] !== bytes.length) throw new FreshetError('FRAME_MALFORMED', 'not as long as it says');
    fault(bytes);
    return bytes.slice(1);
  };
  const corpus = Array.from({ length: 8 }, (_, i) => ({ bytes: new Uint8Array(i + 1).fill(i + 1), decode }));
  return { name: 'faulty', codes: ['FRAME_MALFORMED'], corpus };
}

/** Runs until the fault shows, and takes that step again by its number alone. */
async function faultFound(target: PreparedTarget): Promise<{ report: FuzzReport; message: string }> {
  const report = await fuzzRun(target, SEED, forever);
  assert.ok(report.failure !== null, 'the fault was found');
  return { report, message: String(report.failure.error) };
}

const isOdd = (bytes: Uint8Array): boolean => bytes.length === 8 && bytes[3]! % 2 === 1;

describe('fuzzing', () => {
  it('finds nothing in a decoder without a fault, and says what came of the inputs', async () => {
    const report = await fuzzRun(prepare(targetWith(() => undefined)), SEED, forever);
    assert.equal(report.failure, null);
    assert.equal(report.frames, FRAMES);
    assert.ok(report.decoded > 0);
    assert.equal(report.decoded + (report.refused.FRAME_MALFORMED ?? 0), FRAMES);
  });

  it('finds an error that is not declared, and again by its number', async () => {
    const target = prepare(
      targetWith((bytes) => {
        if (isOdd(bytes)) throw new RangeError('odd');
      }),
    );
    const { report, message } = await faultFound(target);
    assert.equal(message, 'RangeError: odd');
    const { frame, bytes } = report.failure!;
    assert.equal(report.frames, frame + 1);
    const again = fuzzFrame(target, SEED, frame);
    assert.ok(again.kind === 'failed');
    assert.deepEqual(again.failure.bytes, bytes);
    assert.equal(String(again.failure.error), message);
    const fault = describeFault('faulty', SEED, report)!;
    const command = `npm run fuzz -- --decoder faulty --seed ${SEED}`;
    assert.ok(fault.includes(`  ${command} --frame ${frame}\n`), fault);
    assert.ok(fault.endsWith(`  ${command} --frames ${frame + 1}`), fault);
    assert.ok(fault.includes(Buffer.from(bytes).toString('hex')), fault);
  });

  it('finds one of our errors where it is not declared', async () => {
    const target = prepare(
      targetWith((bytes) => {
        if (isOdd(bytes)) throw new FreshetError('STORE_CORRUPT', 'odd');
      }),
    );
    assert.match((await faultFound(target)).message, /FreshetError: odd/);
  });

  it('finds a decoder that allocates what an input announces', async () => {
    const kept: Uint8Array[] = [];
    const target = prepare(
      targetWith((bytes) => {
        if (isOdd(bytes)) kept.push(new Uint8Array(64 * 1024 * 1024));
      }),
    );
    assert.match((await faultFound(target)).message, /took \d{8} bytes of memory/);
    kept.length = 0;
  });

  it('finds a decoder that does not work as before', async () => {
    let isBroken = false;
    const target = targetWith((bytes) => {
      if (isBroken && bytes.every((byte) => byte === bytes.length)) bytes.fill(0, 1);
      if (isOdd(bytes)) isBroken = true;
    });
    assert.match((await faultFound(prepare(target))).message, /no longer decodes to the same/);
  });

  it('finds a decoder that keeps a little of every input', async () => {
    const kept: Uint8Array[] = [];
    const target = prepare(targetWith(() => kept.push(new Uint8Array(256 * 1024))));
    const report = await fuzzRun(target, SEED, forever);
    const fault = describeFault('faulty', SEED, report)!;
    assert.match(fault, /bytes are left behind/);
    assert.ok(fault.endsWith(`--decoder faulty --seed ${SEED} --frames ${report.frames}`), fault);
    kept.length = 0;
  });

  it('ends when it is told to', async () => {
    const report = await fuzzRun(prepare(targetWith(() => undefined)), SEED, {
      frames: FRAMES,
      goOn: () => false,
    });
    assert.equal(report.frames, 1024);
  });

  it('draws an input by target, seed and number', () => {
    const target = targetWith(() => undefined);
    const draw = (seed: number, frame: number) => drawFrame(target, seed, frame);
    assert.deepEqual(draw(1, 2), draw(1, 2));
    const drawn = [draw(1, 2), draw(1, 3), draw(2, 2), drawFrame({ ...target, name: 'other' }, 1, 2)];
    const different = new Set(drawn.map(({ sampleIndex, bytes }) => `${sampleIndex} ${bytes.join()}`));
    assert.equal(different.size, drawn.length);
  });
});

describe('npm run fuzz', () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [FUZZ, ...args]).then(
      ({ stdout, stderr }) => ({ code: EXIT.ok, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );

  it('prints the seed, and one line for each decoder', async () => {
    const { code, stdout, stderr } = await run('--frames', '50', '--seed', '3');
    assert.equal(code, EXIT.ok, stderr);
    const [first, ...lines] = stdout.trimEnd().split('\n');
    assert.equal(first, 'seed 3, 50 inputs for each decoder');
    assert.ok(lines.length >= 8);
    for (const line of lines) assert.match(line, /^[a-z-]+: 50 inputs in .* decoded, .*memory/);
    assert.equal(stderr, '');
  });

  it('takes one input again', async () => {
    const args = ['--decoder', 'delta', '--seed', '3', '--frame', '17'];
    const [first, second] = [await run(...args), await run(...args)];
    assert.match(first.stdout, /^delta, input 17: (decoded|refused with DELTA_MALFORMED)\n$/);
    assert.equal(second.stdout, first.stdout);
  });

  it('refuses what says nothing', async () => {
    for (const [args, says] of [
      [['--frame', '3'], /add --decoder and --seed/],
      [['--decoder', 'json'], /Allowed choices are up, down/],
      [['--frames', '0'], /whole number of at least 1/],
    ] as const) {
      const { code, stderr } = await run(...args);
      assert.equal(code, EXIT.usage, stderr);
      assert.match(stderr, says);
    }
  });
});
