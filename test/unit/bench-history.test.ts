/** The bench of the sample log in its smallest form, as a person runs it: its JSON, and what must hold in it. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const BENCH = join(import.meta.dirname, '../../scripts/bench.ts');
const SAMPLES = 2500;
const TIMES = ['sampleMs', 'sampleMsP99', 'drawMs', 'takeStepMs', 'forgetThousandMs', 'appendsPerSecond'];

it('npm run bench -- history measures a small log and leaves nothing behind', async (test) => {
  const directory = temporaryDirectory(test);
  const args = ['history', '--samples', String(SAMPLES), '--budget', '1', '--directory', directory, '--json'];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [BENCH, ...args]);
  const report = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
  assert.deepEqual([report['bench'], report['sampleCount'], report['batchCount']], ['history', SAMPLES, 120]);
  for (const name of TIMES) assert.ok(Number(report[name]) > 0, name);
  // Nothing is called met that was not measured: the bound is on a batch of a million.
  assert.deepEqual(report['target'], { sampleMsMax: 5, met: null });
  const fileBytes = Number(report['fileBytesPerSample']);
  assert.ok(fileBytes > 784 && fileBytes < 2 * 784, `${fileBytes} bytes of file for one sample`);
  assert.match(stderr, /a batch of 120 of 2500 samples +[\d.]+ ms/);
  assert.deepEqual(readdirSync(directory), []);
});
