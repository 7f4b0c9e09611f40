/**
 * The demo behind `npm start`, as a person runs it: to its end, into a trainer that cannot start, and stopped half-way.
 * Each run is a process group of its own, so that whatever it leaves behind can be found by its number.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import type { CommandOutcome } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { until } from '../support/until.ts';

const DEMO = join(import.meta.dirname, '../../scripts/start.ts');
const STEPS = 40;
/** An optional dependency, whose installer fails without a way to its binaries. */
const ABSENT_BACKEND = '@tensorflow/tfjs-node-gpu';
const HAS_GROUPS = process.platform !== 'win32';

/** What `--json` promises. */
interface Summary {
  readonly backend: string;
  readonly steps: number;
  readonly versions: number;
  readonly agents: readonly {
    readonly name: string;
    readonly head: number;
    readonly served: number;
    readonly rootMatches: boolean;
    readonly testAccuracy: number;
    readonly bytesReceived: number;
  }[];
  readonly trainerTestAccuracy: number;
  readonly fullModelBytes: number;
  readonly bytesSaved: number;
  readonly reductionFactor: number;
  readonly rollback: { readonly from: number; readonly to: number; readonly bitIdentical: boolean } | null;
}

class Demo {
  readonly #child: ChildProcess;
  readonly #closed: Promise<number | null>;
  readonly #temporary: string;
  #stdout = '';
  #stderr = '';

  constructor(test: TestContext, args: readonly string[]) {
    test.after(() => this.#signalGroup('SIGKILL'));
    this.#temporary = temporaryDirectory(test);
    this.#child = spawn(process.execPath, [DEMO, '--once', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, TMPDIR: this.#temporary },
    });
    this.#child.stdout?.on('data', (chunk) => {
      this.#stdout += chunk;
    });
    this.#child.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    const { promise, resolve } = Promise.withResolvers<number | null>();
    this.#closed = promise;
    this.#child.once('close', resolve);
  }

  get stderr(): string {
    return this.#stderr;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** How it ended, once neither a process nor a file of it is left. */
  async ended(): Promise<CommandOutcome> {
    const exitCode = await this.#closed;
    assert.equal(this.#signalGroup(0), false, 'a process of the demo is left');
    // What the libraries put there is theirs.
    const left = readdirSync(this.#temporary).filter((name) => name.startsWith('freshet-'));
    assert.deepEqual(left, []);
    return { exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }

  /** Whether there was a process to get it. */
  #signalGroup(signal: NodeJS.Signals | 0): boolean {
    try {
      process.kill(-this.#child.pid!, signal);
      return true;
    } catch {
      // ESRCH
      return false;
    }
  }
}

it('a bounded demo ends with a summary in which all roots match', {
  skip: !HAS_GROUPS && 'no process groups',
  timeout: 120_000,
}, async (test) => {
  const training = ['--initial', '300', '--initial-epochs', '1', '--publish-every', '1'];
  const demo = new Demo(test, ['--json', '--steps', String(STEPS), '--agents', '2', ...training]);
  const { exitCode, stdout, stderr } = await demo.ended();
  assert.equal(exitCode, 0, stderr);
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Summary;
  assert.equal(summary.steps, STEPS);
  assert(summary.fullModelBytes > 4 * 61_706, 'LeNet-5 has 61,706 weights');
  assert.equal(summary.versions, STEPS + 1);
  assert.match(summary.backend, /^(tfjs-node-gpu|tfjs-node|webgpu|wasm|cpu)$/);
  assert.deepEqual(
    summary.agents.map(({ name, head, served, rootMatches }) => ({ name, head, served, rootMatches })),
    ['agent-1', 'agent-2'].map((name) => ({ name, head: STEPS + 1, served: STEPS + 1, rootMatches: true })),
  );
  for (const { testAccuracy, bytesReceived } of summary.agents) {
    assert(testAccuracy > 0.3 && testAccuracy <= 1, `accuracy ${testAccuracy}`);
    assert(bytesReceived > summary.fullModelBytes * 0.9, 'the first version comes in full');
  }
  assert(summary.trainerTestAccuracy > 0.3 && summary.trainerTestAccuracy <= 1);
  const received = summary.agents.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
  const factor = (summary.bytesSaved + received) / received;
  assert(Math.abs(summary.reductionFactor - factor) < 1e-9 * factor, 'savings do not add up');
  assert(summary.rollback !== null, 'no version to go back to');
  assert.equal(summary.rollback.bitIdentical, true);
  assert(summary.rollback.to < summary.rollback.from);
});

it('a demo with an option that is none says so in one line', {
  skip: !HAS_GROUPS && 'no process groups',
  timeout: 60_000,
}, async (test) => {
  const { exitCode, stderr } = await new Demo(test, ['--agent', '2']).ended();
  assert.equal(exitCode, 2);
  assert.match(stderr, /^npm start: unknown option '--agent' \(Did you mean --agents\?\) .*\n$/);
});

it('a demo whose trainer cannot start says why in one line', {
  skip: !HAS_GROUPS ? 'no process groups' : isInstalled(ABSENT_BACKEND) && `${ABSENT_BACKEND} is installed`,
  timeout: 60_000,
}, async (test) => {
  const { exitCode, stdout, stderr } = await new Demo(test, ['--backend', 'tfjs-node-gpu']).ended();
  assert.notEqual(exitCode, 0);
  assert.equal(stdout, '');
  const lines = stderr.trimEnd().split('\n');
  const [reason = '', ...more] = lines.filter((line) => !line.startsWith('trainer: '));
  assert.match(reason, /^npm start: .*the backend asked for cannot run here \(tfjs-node-gpu: .*choose auto/);
  assert.deepEqual(more, []);
});

it('a demo that is stopped half-way takes everything with it', {
  skip: !HAS_GROUPS && 'no process groups',
  timeout: 60_000,
}, async (test) => {
  const demo = new Demo(test, ['--initial', '60000']);
  await until('training has begun', () => demo.stderr.includes('trainer: '));
  demo.kill('SIGTERM');
  const { exitCode, stdout, stderr } = await demo.ended();
  assert.equal(exitCode, 1, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /\nstopping before the end\n$/);
});

function isInstalled(specifier: string): boolean {
  try {
    import.meta.resolve(specifier);
    return true;
  } catch {
    return false;
  }
}
