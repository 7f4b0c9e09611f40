/** The learner process is killed: it is started again, and given up when it never gets anywhere; the hub stays. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { agentStatus, System, trainerStatus, untilServes } from '../support/system.ts';
import { until } from '../support/until.ts';

it('a learner that dies is started again and goes on with the same versions', async (test) => {
  const system = new System(test);
  const trainer = await system.startTrainer([]);
  const agent = await system.startAgent('device', trainer.url);
  await untilServes(agent, 3);
  const { learner } = await trainerStatus(trainer);
  assert(learner.pid !== null);
  process.kill(learner.pid, 'SIGKILL');
  // What the first learner published may still be on its way to the agent: only the new one's versions count.
  const restarted = await until('another learner trains', async () => {
    const status = await trainerStatus(trainer);
    const { pid, state } = status.learner;
    return pid !== null && pid !== learner.pid && state === 'stream' && status;
  });
  await untilServes(agent, restarted.head!.version + 10);
  assert.equal((await trainerStatus(trainer)).agents[0]?.rootMatches, true);
});

it('a learner that dies again and again is given up with LEARNER_FAILED, and the hub serves on', async (test) => {
  const system = new System(test);
  const first = await system.startTrainer(['--steps', '3']);
  await until('there are versions', async () => (await trainerStatus(first)).learner.state === 'finished');
  await first.end('SIGTERM');
  const trainer = await system.startTrainer([]);
  const killed = new Set<number>();
  const { learner } = await until('the learner is given up', async () => {
    const status = await trainerStatus(trainer);
    const { pid, state } = status.learner;
    if (pid !== null && !killed.has(pid)) {
      // As soon as it is there: before it can publish.
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    }
    return state === 'failed' && status;
  });
  assert.equal(learner.failure?.code, 'LEARNER_FAILED');
  const agent = await system.startAgent('device', trainer.url);
  await untilServes(agent, 4);
  assert.equal((await agentStatus(agent)).process?.link, 'live');
});
