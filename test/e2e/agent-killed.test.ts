/** `kill -9` of an agent in mid-stream, ten times at random moments: it comes back bit-exact each time. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import type { VerifyReport } from '@freshet/edge-agent/store/verify';
import type { Position } from '@freshet/protocol/ids';
import { createRandom } from '@freshet/trainer/core/random';
import { openLog } from '../support/reference.ts';
import { seed } from '../support/seed.ts';
import { agentStatus, System, trainerStatus, untilFresh, untilServes } from '../support/system.ts';

const KILLS = 10;
/** The agent is killed this many versions after it has come back, at most. */
const VERSIONS_BETWEEN_MAX = 3;

it('an agent that is killed ten times in mid-stream resumes where it was, bit for bit', async (test) => {
  const random = createRandom(seed);
  const system = new System(test);
  // Not every step: agents that come back would share the processor with a trainer that never rests, and all is verified.
  let trainer = await system.startTrainer(['--density', '0.01', '--publish-every', '5']);
  let agent = await system.startAgent('victim', trainer.url);
  let acknowledged = 0;
  const resumptions: Position[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const { head } = await untilServes(agent, acknowledged + 1 + random.integerBelow(VERSIONS_BETWEEN_MAX));
    await agent.end('SIGKILL');
    // What the hub has heard of last is what the agent has vouched for.
    const [record] = (await trainerStatus(trainer)).agents;
    acknowledged = Math.max(head?.version ?? 0, record?.head?.version ?? 0);
    agent = await system.startAgent('victim', trainer.url);
    const resumed = await agentStatus(agent);
    assert(
      resumed.head !== null && resumed.head.version >= acknowledged,
      `lost versions up to ${acknowledged}`,
    );
    // It follows the stream again already, so what it serves may trail what it has stored.
    assert(resumed.served !== null && resumed.served.version >= acknowledged);
    resumptions.push(resumed.head, resumed.served);
  }
  // An end to the stream, so that trainer and agent can be compared at rest.
  await trainer.end('SIGTERM');
  trainer = await system.startTrainer(
    ['--density', '0.01', '--steps', '5'],
    Number(new URL(trainer.url).port),
  );
  const { served } = await untilFresh(agent, trainer);
  const report = (await agent.client.call('POST', '/admin/v1/verify')) as VerifyReport;
  assert.deepEqual(
    report.versions.flatMap(({ problems }) => problems),
    [],
  );
  await agent.end('SIGTERM');
  await trainer.end('SIGTERM');

  const log = openLog(test, system.directory);
  assert.deepEqual(served, log.head());
  for (const { version, root } of [...report.versions, ...resumptions])
    assert.equal(root, log.rootOf(version));
});
