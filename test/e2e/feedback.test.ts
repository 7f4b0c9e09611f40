/**
 * Labelled samples from a device to the sample log, with real processes: queued while there is no hub, from outside over
 * HTTP and by commands, beside a running agent and beside a stopped one; hub and agent are killed in between.
 */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import type { FeedbackStatus } from '@freshet/edge-agent/store/feedback-table';
import { FEEDBACK_PATH, type SamplesAnswer } from '@freshet/protocol/local/samples-api';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import { LearnerSampleLog } from '../../trainer/history/sample-log/learner-sample-log.ts';
import { numbersIn, range } from '../support/feedback.ts';
import { runCommand, type Service, System, untilServes } from '../support/system.ts';
import { until } from '../support/until.ts';

const DIGITS: SampleFormat = {
  inputShape: [28, 28, 1],
  inputType: 'uint8',
  target: { kind: 'class', classCount: 10 },
};

const TRAINING = ['--steps', '5'];

/** The nth sample, as its client writes it down. */
function sampleOf(n: number) {
  const input = new Uint8Array(28 * 28).fill(n % 251);
  input.set([n % 256, n >> 8]);
  return { id: `sample ${n}`, input: Buffer.from(input).toString('base64'), label: n % 10 };
}

async function feedback(stateDirectory: string, ...args: readonly string[]): Promise<unknown> {
  const outcome = await runCommand('freshet-agent', [
    'feedback',
    ...args,
    '--state',
    stateDirectory,
    '--json',
  ]);
  assert.equal(outcome.exitCode, 0, outcome.stderr);
  return JSON.parse(outcome.stdout);
}

async function statusOf(agent: Service): Promise<FeedbackStatus> {
  return (await agent.client.call('GET', '/admin/v1/feedback')) as FeedbackStatus;
}

/** What is in the trainer's log; no trainer runs. */
function numbersInLog(test: TestContext, directory: string): number[] {
  const log = LearnerSampleLog.open(join(directory, 'samples.db'), { format: DIGITS, clock: Date.now });
  test.after(() => log.close());
  return numbersIn(log);
}

it('samples reach the log exactly once, though hub and agent are killed in between', async (test) => {
  const system = new System(test);
  const add = async (numbers: readonly number[]) => {
    const file = join(system.directory, 'samples.jsonl');
    writeFileSync(file, numbers.map((n) => `${JSON.stringify(sampleOf(n))}\n`).join(''));
    return (await feedback(join(system.directory, 'device'), 'add', file)) as SamplesAnswer;
  };
  let trainer = await system.startTrainer(TRAINING);
  const port = Number(new URL(trainer.url).port);
  let agent = await system.startAgent('device', trainer.url);
  await untilServes(agent, 1);
  await until('the device knows what samples look like', async () => (await statusOf(agent)).format !== null);
  assert.deepEqual((await statusOf(agent)).format, DIGITS);

  // Without a hub: over HTTP and by the command, beside the agent that runs.
  await trainer.end('SIGKILL');
  const posted = await agent.client.call('POST', FEEDBACK_PATH, { samples: range(0, 100).map(sampleOf) });
  assert.deepEqual(posted, { taken: 100, duplicates: 0, waiting: 100 });
  const { taken, duplicates, waiting } = await add(range(50, 400));
  assert.deepEqual([taken, duplicates, waiting], [300, 50, 400]);

  // Without an agent: the command works on its database.
  await agent.end('SIGKILL');
  assert.equal((await add(range(350, 600))).waiting, 600);

  // Both come back, and are killed while samples are under way.
  trainer = await system.startTrainer(TRAINING, port);
  agent = await system.startAgent('device', trainer.url);
  await until('some samples are under way', async () => (await statusOf(agent)).taken > 0);
  await trainer.end('SIGKILL');
  await agent.end('SIGKILL');
  trainer = await system.startTrainer(TRAINING, port);
  agent = await system.startAgent('device', trainer.url);
  await until('all samples are sent', async () => (await statusOf(agent)).waiting === 0);
  await trainer.end('SIGTERM');
  await agent.end('SIGTERM');

  const arrived = numbersInLog(test, trainer.stateDirectory);
  assert.deepEqual(
    arrived.toSorted((left, right) => left - right),
    range(0, 600),
  );
  const status = (await feedback(agent.stateDirectory, 'status')) as FeedbackStatus;
  assert.deepEqual([status.taken + status.duplicates, status.refused, status.waiting], [600, 0, 0]);
});

it('a full queue and bad samples end the command with the line and the reason, and nothing is half done', async (test) => {
  const system = new System(test);
  const trainer = await system.startTrainer(TRAINING);
  const agent = await system.startAgent('device', trainer.url, ['--feedback-limit', '3']);
  await until('the device knows what samples look like', async () => (await statusOf(agent)).format !== null);
  await trainer.end('SIGTERM');
  const run = (lines: readonly unknown[], ...args: readonly string[]) =>
    runCommand('freshet-agent', ['feedback', 'add', '-', '--state', agent.stateDirectory, ...args], {
      stdin: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    });

  const bad = await run([sampleOf(1), { ...sampleOf(2), label: 10 }]);
  assert.equal(bad.exitCode, 4);
  assert.match(
    bad.stderr,
    /stdin, line 2: label is 10; it has to be an integer from 0 to 9; no line was taken/,
  );

  const full = await run(range(0, 5).map(sampleOf), '--batch', '2');
  assert.equal(full.exitCode, 3);
  assert.match(
    full.stderr,
    /2 samples wait to be sent.*the lines before 3 were taken: go on with --from-line 3/,
  );
  // The same of the database, with the limit that the agent was given.
  await agent.end('SIGTERM');
  const offline = await run(range(2, 5).map(sampleOf));
  assert.equal(offline.exitCode, 3);
  assert.match(offline.stderr, /2 samples wait to be sent/);
  assert.equal((await run([sampleOf(1), sampleOf(2)])).exitCode, 0);

  const status = await runCommand('freshet-agent', ['feedback', 'status', '--state', agent.stateDirectory]);
  assert.match(status.stdout, /waiting {2}3 of at most 3, the oldest since/);
  assert.match(status.stdout, /784 uint8 elements, shape \[28, 28, 1\]; a label from 0 to 9/);
});
