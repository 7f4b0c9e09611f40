/** `kill -9` of the trainer: started again, it goes on with the same line, and the agents with it. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { openLog } from '../support/reference.ts';
import { agentStatus, System, trainerStatus, untilFresh, untilServes } from '../support/system.ts';
import { until } from '../support/until.ts';

it('a trainer that is killed and started again goes on with the same line of versions', async (test) => {
  const system = new System(test);
  const first = await system.startTrainer(['--density', '0.02']);
  const agents = await Promise.all(['one', 'two'].map((name) => system.startAgent(name, first.url)));
  for (const agent of agents) await untilServes(agent, 10);
  const before = await trainerStatus(first);
  await first.end('SIGKILL');

  // The agents go on answering, and offer themselves again and again.
  for (const agent of agents) {
    const status = await until('the agent has noticed', async () => {
      const current = await agentStatus(agent);
      return current.process?.link !== 'live' && current;
    });
    assert((status.served?.version ?? 0) >= 10);
  }

  const second = await system.startTrainer(
    ['--density', '0.02', '--steps', '20'],
    Number(new URL(first.url).port),
  );
  const statuses = await Promise.all(agents.map((agent) => untilFresh(agent, second)));
  const after = await trainerStatus(second);
  assert.equal(after.lineId, before.lineId);
  assert((after.head?.version ?? 0) >= (before.head?.version ?? 0) + 20);
  for (const { served } of statuses) assert.deepEqual(served, after.head);
  await second.end('SIGTERM');

  const log = openLog(test, system.directory);
  assert(before.head !== null);
  assert.equal(log.rootOf(before.head.version), before.head.root);
});
