/** `freshet samples add` as a person runs it, against the real HTTP API with a real sample log. */
import { strict as assert } from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EXIT } from '@freshet/protocol/errors';
import { RuntimeFile } from '@freshet/protocol/local/runtime-file';
import pino from 'pino';
import { adminApp } from '../../trainer/admin/admin-app.ts';
import { createTrainerMetrics } from '../../trainer/admin/trainer-metrics.ts';
import type { SampleInbox } from '../../trainer/history/sample-log/sample-inbox.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { assertRefusal, trainer } from '../support/refusal.ts';
import { openInbox, openLearnerLog, SAMPLE_FILE } from '../support/sample-logs.ts';
import { seed } from '../support/seed.ts';
import { startServer } from '../support/serving.ts';
import { runCommand } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { until } from '../support/until.ts';

const CONCURRENCY = 2;
const LIMITS = { historyMax: 1000, waitingMax: 30, bytesMax: 2 ** 24 };
const TOKEN = 'token';

/** A state directory on which a trainer's API runs, as the commands find it. */
async function serve(test: TestContext): Promise<{ state: string; inbox: SampleInbox; path: string }> {
  const state = join(temporaryDirectory(test), 'state');
  mkdirSync(state);
  const harness = new HubHarness(handMadeModel(100), seed);
  await harness.start();
  test.after(() => harness.remove());
  const path = join(state, SAMPLE_FILE);
  const inbox = openInbox(test, path, { limits: LIMITS });
  const app = adminApp({
    log: harness.log,
    hub: harness.hub,
    metrics: createTrainerMetrics(harness.hub, harness.log),
    learner: () => ({}),
    inbox: () => inbox,
    adminToken: TOKEN,
    logger: pino({ level: 'silent' }),
  });
  const { url } = await startServer(test, app);
  new RuntimeFile(state, 'trainer').write({ pid: process.pid, url, adminToken: TOKEN });
  return { state, inbox, path };
}

const line = (n: number): string =>
  `${JSON.stringify({ id: `line ${n}`, input: [n, 0, 0, 0, 0, 0], label: n % 10 })}\n`;

const fileOf = (count: number): string => Array.from({ length: count }, (_, i) => line(i + 1)).join('');

describe('freshet samples add', { concurrency: CONCURRENCY }, () => {
  it('adds a file or stdin, and says how much of it is new', async (test) => {
    const { state, inbox } = await serve(test);
    const file = join(state, 'today.jsonl');
    writeFileSync(file, fileOf(20));
    const add = ['samples', 'add', file, '--batch', '7', '--state', state];
    const first = await runCommand('freshet', add);
    assert.deepEqual(first, {
      exitCode: EXIT.ok,
      stdout: '20 samples taken; 20 wait to be trained on\n',
      stderr: '',
    });
    const stdin = `${line(20)}\n${line(21)}`;
    const second = await runCommand('freshet', ['samples', 'add', '-', '--json', '--state', state], {
      stdin,
    });
    assert.deepEqual(JSON.parse(second.stdout), { taken: 1, duplicates: 1, waiting: 21, lines: 2 });
    assert.equal(inbox.sampleCount, 21);
    // What waits is not known then: nothing was asked.
    const empty = await runCommand('freshet', ['samples', 'add', '-', '--state', state], { stdin: '\n' });
    assert.deepEqual([empty.exitCode, empty.stdout], [EXIT.ok, 'no samples to add\n']);
  });

  it('waits while the trainer cannot keep up, and then sends on', async (test) => {
    const { state, inbox, path } = await serve(test);
    const log = openLearnerLog(test, path);
    const running = runCommand('freshet', ['samples', 'add', '-', '--batch', '10', '--state', state], {
      stdin: fileOf(55),
    });
    await until('the log is full', () => inbox.waiting === 30);
    log.takeStep(0, 30);
    const { stdout, stderr, exitCode } = await running;
    assert.deepEqual(
      [exitCode, stderr, stdout],
      [EXIT.ok, '', '55 samples taken; 25 wait to be trained on\n'],
    );
    assert.equal(log.end, 55);
  });

  it('ends with one line that says what is wrong and where to go on', async (test) => {
    const { state, inbox } = await serve(test);
    const file = join(state, 'today.jsonl');
    writeFileSync(file, `${fileOf(6)}{"input": [1, 2], "label": 3}\n${line(8)}`);
    const add = (...args: string[]) => trainer('samples', 'add', ...args, '--state', state);
    await assertRefusal({
      ...add(file, '--batch', '3'),
      exitCode: EXIT.refused,
      says: /today\.jsonl, line 7: input has 2 elements; .*; the lines before 7 were taken: go on with --from-line 7/,
    });
    assert.equal(inbox.sampleCount, 6);
    await assertRefusal({
      ...add(file, '--from-line', '7', '--batch', '1'),
      exitCode: EXIT.refused,
      says: /today\.jsonl, line 7: input has 2 elements; .*; no line was taken/,
    });
    await assertRefusal({
      ...add('-'),
      stdin: 'seven\n',
      exitCode: EXIT.refused,
      says: /stdin, line 1 is not JSON; no line was taken/,
    });
    await assertRefusal({
      ...add(join(state, 'missing.jsonl')),
      exitCode: EXIT.refused,
      says: /cannot read .*missing\.jsonl \(ENOENT\)/,
    });
    await assertRefusal({
      ...add('-', '--wait-seconds', '0', '--batch', '30'),
      stdin: fileOf(60).replaceAll('line', 'other'),
      exitCode: EXIT.unreachable,
      // The first thirty go beyond what may wait, and the next have to.
      says: /36 samples wait to be trained on: none of these was taken.*; the lines before 31 were taken/,
    });
    assert.equal(inbox.sampleCount, 36);
  });

  it('is refused where nothing runs, and with wrong options', async (test) => {
    const state = join(temporaryDirectory(test), 'state');
    const says = /no trainer runs on .*state: start one/;
    const refusal = { ...trainer('samples', 'add', '-', '--state', state), untouched: state };
    await assertRefusal({ ...refusal, exitCode: EXIT.unreachable, says });
    const tooMany = trainer('samples', 'add', '-', '--batch', '1001', '--state', state);
    await assertRefusal({
      ...tooMany,
      exitCode: EXIT.usage,
      says: /'1001' is invalid. It must be a whole number from 1 to 1000. \(see freshet samples add --help\)/,
      untouched: state,
    });
  });

  it('takes its options from a file that serves all commands', async (test) => {
    const { state } = await serve(test);
    const config = join(state, 'config.json');
    writeFileSync(config, '{"batch": 5, "limit": 3, "json": true}');
    const args = ['samples', 'add', '-', '--config', config, '--state', state];
    const { stdout, stderr } = await runCommand('freshet', args, { stdin: fileOf(3) });
    assert.equal(stderr, '');
    assert.equal(JSON.parse(stdout).taken, 3);
  });
});
