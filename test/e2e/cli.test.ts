/** Every command of both programs doing its work, as text and as JSON, with one system behind them. */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { AgentStatus, RollbackReport } from '@freshet/edge-agent/control/agent-control';
import type { VerifyReport } from '@freshet/edge-agent/store/verify';
import { EXIT } from '@freshet/protocol/errors';
import type { RollbackAnswer } from '@freshet/trainer/admin/trainer-status';
import { openMnist } from '@freshet/trainer/learn/sources/mnist';
import type { TrainerStatus } from '@freshet/trainer/service/status';
import Database from 'better-sqlite3';
import { encode } from 'fast-png';
import { type Inference, inferAt, inferenceBody } from '../support/inference.ts';
import { heldOutDigits } from '../support/reference.ts';
import { agentStatus, runCommand, type Service, System, untilFresh } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { until } from '../support/until.ts';

type Program = 'freshet' | 'freshet-agent';

const COMMANDS: Readonly<Record<Program, readonly string[]>> = {
  freshet: ['start', 'status', 'versions', 'rollback', 'savings'],
  'freshet-agent': ['run', 'infer', 'versions', 'rollback', 'status', 'verify'],
};
/** The first two held-out digits: a seven and a two. */
const DIGIT_COUNT = 2;
const DIGITS = heldOutDigits(0, DIGIT_COUNT);
const CLASS_COUNT = 10;
const STEPS = 200;
const HEAD = STEPS + 1;
const DIGIT_ELEMENTS = DIGITS.length / DIGIT_COUNT;

/** A command on the state directory of `service`, which must succeed in silence on stderr. */
async function succeed(
  program: Program,
  service: Service,
  args: readonly string[],
  stdin?: string,
): Promise<string> {
  const all = [...args, '--state', service.stateDirectory];
  const { exitCode, stdout, stderr } = await runCommand(program, all, stdin === undefined ? {} : { stdin });
  assert.deepEqual({ exitCode, stderr }, { exitCode: EXIT.ok, stderr: '' });
  return stdout;
}

describe('help', { concurrency: 2 }, () => {
  for (const [program, commands] of Object.entries(COMMANDS) as [Program, string[]][]) {
    it(`${program} lists its commands and exit codes`, async () => {
      const { exitCode, stdout } = await runCommand(program, ['--help']);
      assert.equal(exitCode, EXIT.ok);
      for (const command of commands) assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
      assert.match(stdout, /Exit codes: 0 done, 1 failed, 2 wrong usage, 3 .*, 4 .*, 70 /s);
    });
    for (const command of commands) {
      it(`${program} ${command} gives examples`, async () => {
        const { exitCode, stdout } = await runCommand(program, [command, '--help']);
        assert.equal(exitCode, EXIT.ok);
        const [, examples = ''] = stdout.split('\nExamples:\n');
        assert.match(examples, new RegExp(`^  (.* )?${program} ${command}\\b`));
        for (const option of ['--state <dir>', '--json', '--config <file>']) assert(stdout.includes(option));
      });
    }
  }

  it('a reader that goes away ends the command without a word', {
    skip: process.platform === 'win32' && 'no sh',
  }, () => {
    const program = join(import.meta.dirname, '../../edge-agent/bin/freshet-agent.js');
    const { stderr } = spawnSync('sh', ['-c', `"$0" "$1" --help | true`, process.execPath, program], {
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
  });
});

it('flags win over the environment, and the environment over the configuration file', async (test) => {
  const directory = temporaryDirectory(test);
  const config = join(directory, 'device.json');
  // Nothing is there: the message says where the command has looked. `hub` is an option of another command.
  writeFileSync(config, JSON.stringify({ state: join(directory, 'file'), hub: 'ws://h:1', limit: 3 }));
  const lookedAt = async (args: readonly string[], env: Record<string, string>): Promise<string> => {
    const { stderr } = await runCommand('freshet-agent', ['versions', '--config', config, ...args], { env });
    return /no agent has run on (.*): start/.exec(stderr)?.[1] ?? stderr;
  };
  const env = { FRESHET_STATE: join(directory, 'environment') };
  assert.equal(await lookedAt([], {}), join(directory, 'file'));
  assert.equal(await lookedAt([], env), env.FRESHET_STATE);
  assert.equal(await lookedAt(['--state', join(directory, 'flag')], env), join(directory, 'flag'));
});

it('a trainer and its agents', { timeout: 120_000 }, async (test) => {
  const system = new System(test);
  const trainer = await system.startTrainer(['--steps', String(STEPS)]);
  const device = await system.startAgent('device', trainer.url);
  await untilFresh(device, trainer);
  const images = pngFiles(temporaryDirectory(test));
  const expected = await inferAt(device.url, inferenceBody(DIGITS, DIGIT_COUNT));

  await test.test('freshet status, versions and savings', () => centralReports(trainer));
  await test.test('freshet-agent status, versions and verify', () => deviceReports(device));
  await test.test('freshet-agent infer', () => inference(device, images, expected));
  await test.test('freshet-agent rollback', () => localRollback(device));
  await device.end('SIGTERM');
  await test.test('freshet-agent infer, stopped', () => inference(device, images, expected));
  await test.test('freshet-agent rollback, stopped', () => localRollback(device));
  await test.test('freshet rollback of an agent that is away', () => rollbackOfAbsent(system, trainer));
  await test.test('freshet rollback that an agent refuses', () => rollbackRefused(system, trainer));
  await test.test('freshet-agent verify finds a damaged byte', (each) => damage(each, device));
});

async function centralReports(trainer: Service): Promise<void> {
  const ask = (...args: string[]): Promise<string> => succeed('freshet', trainer, args);
  const status = JSON.parse(await ask('status', '--json')) as TrainerStatus;
  assert.equal(status.head?.version, HEAD);
  assert.equal(status.learner.state, 'finished');
  assert.deepEqual(
    status.agents.map(({ agentId, rootMatches }) => [agentId, rootMatches]),
    [['device', true]],
  );
  const text = await ask('status');
  assert.match(text, /^model +mnist-lenet5\nhead +version \d+ \(root [0-9a-f]{12}…\)\nlearner +finished, /);
  assertAligned(text.slice(text.indexOf('AGENT')), ['AGENT', 'CONNECTED', 'HEAD', 'SERVED', 'PROVEN', 'LAG']);

  const { versions } = JSON.parse(await ask('versions', '--limit', '3', '--json')) as {
    versions: { version: number; root: string }[];
  };
  assert.deepEqual(
    versions.map(({ version }) => version),
    [HEAD, HEAD - 1, HEAD - 2],
  );
  assert.equal(versions[0]?.root, status.head?.root);
  const table = await ask('versions', '--limit', '3');
  assert.equal(table.trimEnd().split('\n').length, 4);
  assertAligned(table, ['VERSION', 'ROOT', 'DELTA', 'STEP', 'SAMPLES', 'LOSS', 'ACCURACY', 'AT']);

  const savings = JSON.parse(await ask('savings', '--json')) as {
    total: { bytesSent: number; fullModelEquivalentBytes: number; reductionFactor: number };
    agents: { agentId: string }[];
  };
  const { bytesSent, fullModelEquivalentBytes, reductionFactor } = savings.total;
  assert.equal(reductionFactor, fullModelEquivalentBytes / bytesSent);
  assert.deepEqual(
    savings.agents.map(({ agentId }) => agentId),
    ['device'],
  );
  assertAligned(await ask('savings'), ['AGENT', 'SENT', 'IN FULL', 'SAVED', 'FACTOR']);
}

/** Each column of `table` starts below its heading. */
function assertAligned(table: string, headings: readonly string[]): void {
  const [heading = '', ...rows] = table.trimEnd().split('\n');
  for (const name of headings) {
    const at = heading.indexOf(name);
    assert.notEqual(at, -1, `no column ${name} in ${heading}`);
    for (const row of rows.filter((each) => at > 0 && each.length > at)) {
      assert.match(row.slice(at - 1, at + 1), /^ \S$/, `column ${name} of "${row}"`);
    }
  }
}

async function deviceReports(device: Service): Promise<void> {
  const ask = (...args: string[]): Promise<string> => succeed('freshet-agent', device, args);
  const status = JSON.parse(await ask('status', '--json')) as AgentStatus;
  assert.equal(status.process?.pid, device.pid);
  assert.equal(status.process?.link, 'live');
  assert.equal(status.served?.version, HEAD);
  const text = await ask('status');
  assert.match(text, /^agent +device, pid \d+, http:\S+\nmodel +mnist-lenet5\nhead +version \d+ /);
  assert.match(text, /^hub +ws:\S+, live$/m);

  const listed = JSON.parse(await ask('versions', '--limit', '2', '--json')) as {
    count: number;
    versions: { version: number }[];
  };
  assert.equal(listed.count, status.versionCount);
  assert.deepEqual(
    listed.versions.map(({ version }) => version),
    [HEAD, HEAD - 1],
  );
  const table = await ask('versions', '--limit', '2');
  assert.match(table, new RegExp(`\n201 .* served\n200 .*\n2 of ${listed.count} versions\n$`));
  assertAligned(table.slice(0, table.lastIndexOf('2 of')), [
    'VERSION',
    'ROOT',
    'KIND',
    'CHANGED',
    'RECEIVED',
  ]);

  const report = JSON.parse(await ask('verify', '--json')) as VerifyReport;
  assert.equal(report.ok, true);
  assert.equal(report.versions.length, listed.count);
  assert.equal(await ask('verify'), `${listed.count} versions, all as their roots say\n`);
}

interface Answer {
  readonly model_version: string;
  readonly outputs: readonly [{ readonly shape: readonly number[]; readonly data: readonly number[] }];
}

/** The same digits in every way that they can be given, with an answer that is the same to the bit. */
async function inference(
  device: Service,
  images: readonly string[],
  { version, logits }: Inference,
): Promise<void> {
  const values = Array.from({ length: DIGIT_COUNT }, (_, i) => [
    ...DIGITS.subarray(i * DIGIT_ELEMENTS, (i + 1) * DIGIT_ELEMENTS),
  ]);
  const request = inferenceBody(DIGITS, DIGIT_COUNT);
  const ways: [way: string, args: readonly string[], stdin?: string][] = [
    ['PNG images', images],
    ['a request', [], request],
    ['values', [], JSON.stringify(values.flat())],
    ['nested values', [], JSON.stringify(values)],
  ];
  const infer = (args: readonly string[], stdin?: string): Promise<string> =>
    succeed('freshet-agent', device, ['infer', ...args], stdin);
  for (const [way, args, stdin] of ways) {
    const answer = JSON.parse(await infer(['--json', ...args], stdin)) as Answer;
    assert.equal(answer.model_version, String(version), way);
    assert.deepEqual(answer.outputs[0].shape, [DIGIT_COUNT, CLASS_COUNT], way);
    assert.deepEqual(answer.outputs[0].data, logits, way);
  }
  const classes = Array.from({ length: DIGIT_COUNT }, (_, row) => {
    const scores = logits.slice(row * CLASS_COUNT, (row + 1) * CLASS_COUNT);
    return scores.indexOf(Math.max(...scores));
  });
  const text = (names: readonly string[]): RegExp =>
    new RegExp(
      `^${names.map((name, i) => `${name}: ${classes[i]} \\(\\d+\\.\\d %\\)\n`).join('')}` +
        `\\(mnist-lenet5, version ${version}\\)\n$`,
    );
  assert.match(await infer(images), text(images));
  assert.match(await infer([], request), text(['output\\[0\\]', 'output\\[1\\]']));
}

async function localRollback(device: Service): Promise<void> {
  const rollback = (...args: string[]): Promise<string> =>
    succeed('freshet-agent', device, ['rollback', ...args]);
  const back = JSON.parse(await rollback('--by', '2', '--json')) as RollbackReport;
  assert.deepEqual([back.before?.version, back.after.version, back.pinned], [HEAD, HEAD - 2, true]);
  assert.match(
    await rollback(String(HEAD - 1)),
    new RegExp(
      `^served version ${HEAD - 2} \\(root \\S+…\\), now version ${HEAD - 1} \\(root \\S+…\\), in \\S+ ms\\. ` +
        'Staying there until `freshet-agent rollback head`\\.\n$',
    ),
  );
  const status = await succeed('freshet-agent', device, ['status']);
  assert.match(status, new RegExp(`^served +version ${HEAD - 1} \\(root \\S+…\\), pinned$`, 'm'));
  assert.match(await rollback('head'), new RegExp(`, now version ${HEAD} .* Following the head\\.\n$`));
}

/** The order stands until the agent is back, which carries it out then. */
async function rollbackOfAbsent(system: System, trainer: Service): Promise<void> {
  const rollback = (...args: string[]): Promise<string> => succeed('freshet', trainer, ['rollback', ...args]);
  const target = HEAD - 5;
  const answer = await rollback(String(target), '--agent', 'device', '--wait-seconds', '0', '--json');
  const { commands } = JSON.parse(answer) as RollbackAnswer;
  assert.deepEqual(
    commands.map(({ agentId, version, answer: outcome }) => ({ agentId, version, outcome })),
    [{ agentId: 'device', version: target, outcome: null }],
  );
  const device = await system.startAgent('device', trainer.url);
  await until('the agent has carried out the order', async () => {
    const { pinned, served } = await agentStatus(device);
    return pinned === target && served?.version === target;
  });
  const text = await rollback('head', '--agent', 'device');
  assertAligned(text, ['ORDER', 'AGENT', 'ANSWER']);
  assert.match(text, new RegExp(`device +serving version ${HEAD}\n$`));
  assert.equal((await agentStatus(device)).pinned, null);
  await device.end('SIGTERM');
}

/** An agent that came late has only what it was sent. */
async function rollbackRefused(system: System, trainer: Service): Promise<void> {
  const late = await system.startAgent('late', trainer.url);
  await untilFresh(late, trainer);
  const args = ['rollback', '2', '--agent', 'late', '--state', trainer.stateDirectory];
  const { exitCode, stdout, stderr } = await runCommand('freshet', args);
  assert.deepEqual({ exitCode, stderr }, { exitCode: EXIT.failed, stderr: '' });
  assert.match(stdout, /late +version 2 is not stored here/);
  await late.end('SIGTERM');
}

/** One flipped bit, in the way back from a version and in the way to it. */
async function damage(test: TestContext, device: Service): Promise<void> {
  const version = HEAD - 3;
  const verify = async (part: 'payload' | 'undo', ...args: string[]) => {
    const state = join(temporaryDirectory(test), 'state');
    cpSync(device.stateDirectory, state, { recursive: true });
    flipBit(join(state, 'weights.db'), part, version);
    return runCommand('freshet-agent', ['verify', '--state', state, ...args]);
  };
  const text = await verify('undo');
  assert.deepEqual([text.exitCode, text.stderr], [EXIT.failed, '']);
  assert.match(text.stdout, new RegExp(`^\\d+ problems? in \\d+ versions:\n[^]*\\bversion ${version}\\b`));

  const { exitCode, stdout } = await verify('undo', '--json');
  assert.equal(exitCode, EXIT.failed);
  const report = JSON.parse(stdout) as VerifyReport;
  const wrong = report.versions.filter(({ ok }) => !ok).map((check) => check.version);
  assert(wrong.length >= 1 && wrong.every((each) => each === version || each === version - 1), `${wrong}`);

  // The head cannot be derived without this one, and no store is opened whose head is in doubt.
  const { exitCode: refused, stderr } = await verify('payload');
  assert.equal(refused, EXIT.failed);
  assert.match(stderr, /^freshet-agent: .*weights\.db is damaged \(.*\bversion \d+.*\): move it away .*\n$/);
}

/**
 * Takes away the keyframes from `version` on too: where they lie depends on when the agent joined, and with one of them
 * nothing needs the damaged record.
 */
function flipBit(path: string, part: 'payload' | 'undo', version: number): void {
  const database = new Database(path);
  database.prepare('DELETE FROM snapshots WHERE version >= ?').run(version);
  const select = database.prepare<[number], Buffer>(`SELECT ${part} FROM deltas WHERE version = ?`).pluck();
  const blob = select.get(version);
  assert(blob !== undefined, `version ${version} came as a delta`);
  // The lowest bit of the first position: the last byte of a payload has no bits that say nothing.
  blob[blob.length - 1]! ^= 1;
  database.prepare(`UPDATE deltas SET ${part} = ? WHERE version = ?`).run(blob, version);
  database.close();
}

function pngFiles(directory: string): string[] {
  const { test } = openMnist();
  return ['seven', 'two'].map((name, i) => {
    const data = Uint8Array.from(test.sample(i).input);
    const path = join(directory, `${name}.png`);
    writeFileSync(path, encode({ width: 28, height: 28, channels: 1, depth: 8, data }));
    return path;
  });
}
