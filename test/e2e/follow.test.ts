/** Agents reach the trainer's root over real sockets, and predict as tfjs does with the same weights. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { inferAt, inferenceBody } from '../support/inference.ts';
import { heldOutDigits, openLog, referenceLogits } from '../support/reference.ts';
import { System, untilFresh } from '../support/system.ts';

const DIGIT_COUNT = 40;
const CLASS_COUNT = 10;
const TOLERANCE = 1e-4;

it('agents serve the weights that the trainer published, and predict what it predicts', async (test) => {
  const system = new System(test);
  const trainer = await system.startTrainer(['--steps', '30', '--density', '0.02']);
  const early = await system.startAgent('early', trainer.url);
  await untilFresh(early, trainer);
  const late = await system.startAgent('late', trainer.url);
  const statuses = [await untilFresh(early, trainer), await untilFresh(late, trainer)];
  await trainer.end('SIGTERM');

  const log = openLog(test, system.directory);
  const head = log.head();
  assert(head !== null);
  assert.equal(head.version, 31); // the initial one and one per step
  for (const status of statuses) assert.deepEqual(status.served, head);
  const { bytesReceived = 0 } = statuses[1]?.process ?? {};
  const { fileBytes = 0 } = log.model() ?? {};
  assert(
    bytesReceived < 1.1 * fileBytes,
    `a late agent got ${bytesReceived} bytes for a model of ${fileBytes}`,
  );

  const digits = heldOutDigits(0, DIGIT_COUNT);
  const expected = await referenceLogits(log, head.version, digits, DIGIT_COUNT);
  for (const agent of [early, late]) {
    const { logits, version, root } = await inferAt(agent.url, inferenceBody(digits, DIGIT_COUNT));
    assert.deepEqual({ version, root }, head);
    const furthest = Math.max(...logits.map((logit, i) => Math.abs(logit - expected[i]!)));
    assert(furthest <= TOLERANCE, `logits differ by ${furthest}`);
    assert.deepEqual(classesOf(logits), classesOf([...expected]));
  }
});

function classesOf(logits: readonly number[]): number[] {
  return Array.from({ length: logits.length / CLASS_COUNT }, (_, row) => {
    const scores = logits.slice(row * CLASS_COUNT, (row + 1) * CLASS_COUNT);
    return scores.indexOf(Math.max(...scores));
  });
}
