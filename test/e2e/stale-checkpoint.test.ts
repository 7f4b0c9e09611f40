/** A checkpoint of another line of versions has no place in a new one. */
import { strict as assert } from 'node:assert';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { System, trainerStatus, untilFinished } from '../support/system.ts';
import { until } from '../support/until.ts';

const STEPS = 60;

it('a new line does not take up where the checkpoint of a lost one stood', async (test) => {
  const system = new System(test);
  const first = await system.startTrainer(['--steps', String(STEPS)]);
  const lost = await untilFinished(first);
  await first.end('SIGTERM');
  const state = first.stateDirectory;
  for (const name of readdirSync(state).filter((each) => each.startsWith('versions.db')))
    rmSync(join(state, name));

  const second = await system.startTrainer(['--steps', '5']);
  const { head } = await untilFinished(second);
  await second.end('SIGKILL');
  assert.equal(head?.version, 6);

  const third = await system.startTrainer([]);
  const status = await until('it has gone on', async () => {
    const current = await trainerStatus(third);
    return (current.learner.progress?.step ?? 0) > 5 && current;
  });
  assert.notEqual(status.lineId, lost.lineId);
  assert((status.learner.progress?.step ?? STEPS) < STEPS, 'it has taken up the lost line');
});
