/** Ten versions back and forth with the real commands: with the trainer running, without it, without the agent. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { it } from 'node:test';
import type { RollbackReport } from '@freshet/edge-agent/control/agent-control';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { inferAt, inferenceBody } from '../support/inference.ts';
import { heldOutDigits, openLog } from '../support/reference.ts';
import {
  agentStatus,
  runCommand,
  type Service,
  System,
  trainerStatus,
  untilFresh,
} from '../support/system.ts';
import { until } from '../support/until.ts';
import { assertSameBits } from '../support/weights.ts';

const DIGIT_COUNT = 20;
const DIGITS = inferenceBody(heldOutDigits(0, DIGIT_COUNT), DIGIT_COUNT);

async function rollback(agent: Service, ...args: string[]): Promise<RollbackReport> {
  const all = ['rollback', ...args, '--json', '--state', agent.stateDirectory];
  const { exitCode, stdout, stderr } = await runCommand('freshet-agent', all);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout) as RollbackReport;
}

it('a roll-back serves exactly what the version was, offline and from the centre', async (test) => {
  const system = new System(test);
  const trainer = await system.startTrainer(['--steps', '200']);
  const agent = await system.startAgent('device', trainer.url);
  const fresh = await untilFresh(agent, trainer);
  const head = fresh.served!;
  const atHead = await inferAt(agent.url, DIGITS);

  // From the centre. The agent may have joined late, so the version is one that it has seen.
  const seen = head.version - 20;
  const order = ['rollback', String(seen), '--agent', 'device', '--json', '--state', trainer.stateDirectory];
  const ordered = await runCommand('freshet', order);
  assert.equal(ordered.exitCode, 0, ordered.stdout + ordered.stderr);
  assert.equal((await agentStatus(agent)).pinned, seen);
  await until('the hub has heard of it', async () => {
    const [record] = (await trainerStatus(trainer)).agents;
    return record?.pinned === true && record.served?.version === seen && record.rootMatches === true;
  });
  await rollback(agent, 'head');
  await trainer.end('SIGTERM');
  const log = openLog(test, system.directory);

  // With the trainer unreachable.
  const back = await rollback(agent, '--by', '10');
  assert.equal(back.before?.version, head.version);
  const target = asWeightsVersion(head.version - 10);
  assert.deepEqual(back.after, { version: target, root: log.rootOf(target) });
  const atTarget = await inferAt(agent.url, DIGITS);
  assert.equal(atTarget.version, target);
  assert.notDeepEqual(atTarget.logits, atHead.logits);
  const forth = await rollback(agent, 'head');
  assert.deepEqual(forth.after, head);
  assert.deepEqual(await inferAt(agent.url, DIGITS), atHead);

  // With the agent stopped: the database is what the next start serves.
  await agent.end('SIGTERM');
  await rollback(agent, String(target));
  const again = await system.startAgent('device', trainer.url);
  assert.deepEqual(await inferAt(again.url, DIGITS), atTarget);
  await again.end('SIGTERM');

  const store = WeightStore.open(join(agent.stateDirectory, 'weights.db'), { clock: Date.now });
  test.after(() => store.close());
  for (const version of [seen, target, head.version].map(asWeightsVersion)) {
    assertSameBits(store.weightsOf(version), log.weightsOf(version), `version ${version}`);
  }
});
