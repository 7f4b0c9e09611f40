/**
 * Inference under load while 200 versions are applied: no request fails, and each answer is that of exactly the
 * version that its header names. The oracle is ONNX Runtime in this process, on files joined from the trainer's log.
 */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { joinModel } from '@freshet/protocol/model';
import { type Inference, inferAt, inferenceBody } from '../support/inference.ts';
import { runOnnx } from '../support/onnx-session.ts';
import { heldOutDigits, openLog } from '../support/reference.ts';
import { agentStatus, System, untilServes } from '../support/system.ts';
import { until } from '../support/until.ts';

const CLIENTS = 4;
const VERSIONS = 200;
const DIGIT = heldOutDigits(0, 1);

it('every request under load is answered by exactly one version while 200 are applied', async (test) => {
  const system = new System(test);
  const trainer = await system.startTrainer(['--density', '0.05']);
  const agent = await system.startAgent('busy', trainer.url);
  await untilServes(agent, 1);
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, async (): Promise<Inference[]> => {
    const body = inferenceBody(DIGIT, 1);
    const answers: Inference[] = [];
    while (!isOver) answers.push(await inferAt(agent.url, body));
    return answers;
  });
  // Counted by the agent: a version that a squash has passed over was not applied.
  const applied = until('so many versions have been applied', async () => {
    const { process } = await agentStatus(agent);
    return process !== null && process.versionsReceived >= VERSIONS;
  });
  await applied.finally(() => {
    isOver = true;
  });
  const answers = await Promise.all(clients);
  await trainer.end('SIGTERM');

  const log = openLog(test, system.directory);
  const model = log.model();
  assert(model !== null);
  const expected = new Map<number, readonly number[]>();
  for (const { version, root, logits } of answers.flat()) {
    assert.equal(root, log.rootOf(asWeightsVersion(version)));
    if (!expected.has(version)) {
      const file = joinModel(model, log.weightsOf(asWeightsVersion(version)));
      expected.set(version, [...(await runOnnx(file, DIGIT, [1, 28, 28, 1])).values]);
    }
    assert.deepEqual(logits, expected.get(version), `not the logits of version ${version}`);
  }
  for (const ofClient of answers) {
    const versions = ofClient.map(({ version }) => version);
    assert.deepEqual(
      versions,
      versions.toSorted((left, right) => left - right),
      'versions went backwards',
    );
  }
  // Under load many versions are passed over before they are built.
  assert(expected.size > VERSIONS / 10, `only ${expected.size} versions answered`);
});
