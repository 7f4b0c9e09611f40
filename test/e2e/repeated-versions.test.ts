/**
 * A run that is killed again and again, at instants that nobody chose, publishes the same versions, bit for bit, as one
 * that nobody disturbs.
 */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import type { VersionsAnswer } from '@freshet/trainer/admin/trainer-status';
import { createRandom } from '@freshet/trainer/core/random';
import { seed } from '../support/seed.ts';
import { type Service, System, trainerStatus, untilFinished } from '../support/system.ts';
import { until } from '../support/until.ts';

const STEPS = 40;
const KILLS = 3;

/** What the sampler, the optimiser and the sparsifier remember is all in the checkpoint. */
const VARIANTS: readonly (readonly string[])[] = [
  ['--density', '0.05'],
  [
    ...['--sampler', 'class-balanced:100', '--optimiser', 'amsgrad', '--warm-up', '20', '--values', 'f16'],
    ...['--sparsifier', 'random-k', '--density', '0.01', '--trigger', 'drift:page-hinkley:8:4'],
  ],
];

async function roots(trainer: Service): Promise<string[]> {
  const answer = (await trainer.client.call('GET', '/api/v1/versions?limit=1000')) as VersionsAnswer;
  return answer.versions.map(({ version, root }) => `${version} ${root}`).reverse();
}

for (const options of VARIANTS) {
  it(`a run that is killed comes to the same versions (${options.join(' ')})`, async (test) => {
    const args = [...options, '--checkpoint-seconds', '1'];
    const undisturbed = await new System(test).startTrainer([...args, '--steps', String(STEPS)]);
    await untilFinished(undisturbed);
    const expected = await roots(undisturbed);
    await undisturbed.end('SIGTERM');
    assert.ok(expected.length > 10, 'there is something to compare');

    const system = new System(test);
    const random = createRandom(seed);
    const comeTo = (trainer: Service, version: number) =>
      until(`version ${version} is there`, async () => {
        const { head, learner } = await trainerStatus(trainer);
        if (learner.failure !== null) throw new Error(learner.failure.message);
        return (head?.version ?? 0) >= version;
      });
    let trainer = await system.startTrainer(args);
    for (let kill = 0; kill < KILLS; kill++) {
      await comeTo(trainer, random.integerBelow(expected.length));
      await trainer.end('SIGKILL');
      trainer = await system.startTrainer(args);
    }
    await comeTo(trainer, expected.length);
    assert.deepEqual((await roots(trainer)).slice(0, expected.length), expected);
  });
}
