/** Somebody's own recipe with real processes: from a file in a folder of its own to predictions on a device. */
import { strict as assert } from 'node:assert';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { EXIT } from '@freshet/protocol/errors';
import { VersionLog } from '@freshet/trainer/history/version-log';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { CanonicalModel } from '@freshet/trainer/learn/canonical-model';
import { recipeOf } from '@freshet/trainer/learn/recipes';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import { relativeError } from '../support/numerics.ts';
import { batchOf, samplesOf } from '../support/small-recipe.ts';
import { runCommand, System, trainerStatus, untilFinished, untilFresh } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { until } from '../support/until.ts';

const TEMPLATE = join(import.meta.dirname, '../../examples/my-recipe.ts');
const STEPS = 12;
const ROWS = 5;

it('the template trains, publishes deltas, and a device predicts as tfjs does', async (test) => {
  const recipeFile = join(temporaryDirectory(test), 'my-recipe.ts');
  cpSync(TEMPLATE, recipeFile);
  const system = new System(test);
  const trainer = await system.startTrainer(['--recipe', recipeFile, '--steps', String(STEPS)]);
  const agent = await system.startAgent('device', trainer.url);
  const { learner, modelId, head } = await untilFinished(trainer);
  assert.equal(modelId, 'vibration');
  assert(head !== null && head.version > 2, 'deltas were published');
  const { metric, prequentialAccuracy } = learner.progress!;
  assert.deepEqual([metric.name, metric.better, prequentialAccuracy], ['mean-absolute-error', 'lower', null]);
  assert(metric.cumulative !== null && metric.cumulative > 0 && metric.cumulative < 1);
  assert(learner.test?.name === 'mean-absolute-error' && learner.test.value > 0);
  assert.equal(learner.testAccuracy, null);
  const { stdout } = await runCommand('freshet', ['status', '--state', trainer.stateDirectory]);
  assert.match(stdout, /^mean-absolute-error +prequential 0\.\d{4}, newest 0\.\d{4}$/m);
  const table = await runCommand('freshet', ['versions', '--state', trainer.stateDirectory]);
  assert.match(table.stdout, /^VERSION +ROOT +DELTA +STEP +SAMPLES +LOSS +AT\n.+ 0\.\d+ +20/);
  const scraped = await (await fetch(`${trainer.url}/metrics`)).text();
  assert.match(scraped, /^freshet_learner_prequential_metric\{metric="mean-absolute-error"\} 0\.\d+$/m);

  await untilFresh(agent, trainer);
  const recipe = await recipeOf(recipeFile);
  const { inputs } = batchOf(recipe, samplesOf(recipe).test, 0, ROWS);
  const input = { name: 'input', datatype: 'FP32', shape: [ROWS, 16], data: [...inputs] };
  const body = JSON.stringify({ inputs: [input] });
  const response = await fetch(`${agent.url}/v2/models/vibration/infer`, { method: 'POST', body });
  const { outputs } = (await response.json()) as { outputs: [{ data: number[] }] };
  // One process at a time has the log.
  await trainer.end('SIGTERM');
  const log = VersionLog.open(join(trainer.stateDirectory, 'versions.db'), { clock: Date.now });
  await selectBackend('cpu');
  const trainStep = new TrainStep(recipe, { seed: 0 });
  await (await CanonicalModel.of(trainStep, recipe.name)).writeWeights(log.headWeights());
  log.close();
  assert(relativeError(outputs[0].data, await trainStep.predict(inputs, ROWS)) < 1e-5);
  trainStep.dispose();
});

const WITHOUT_SAMPLES = `export const recipe = {
  name: 'bare',
  input: { shape: [3], dtype: 'float32' },
  target: { kind: 'class', classCount: 2 },
  loss: 'softmax-cross-entropy',
  preprocess: (stored, floats) => {
    if (stored[0] === 99) throw new RangeError('no such sensor');
    floats.set(stored);
  },
  buildModel: ({ tf }) =>
    tf.sequential({ layers: [tf.layers.dense({ name: 'only', inputShape: [3], units: 2 })] }),
};`;

it('a recipe without samples of its own publishes its untrained model, and learns from what is sent', async (test) => {
  const recipeFile = join(temporaryDirectory(test), 'bare.js');
  writeFileSync(recipeFile, WITHOUT_SAMPLES);
  const system = new System(test);
  const trainer = await system.startTrainer(['--recipe', recipeFile]);
  await until('there is a version', async () => (await trainerStatus(trainer)).head?.version === 1);
  assert.equal((await trainerStatus(trainer)).learner.state, 'stream', 'it waits for samples');
  const samples = Array.from({ length: 9 }, (_, i) => ({ id: `s${i}`, input: [i, 1, -i], label: i % 2 }));
  // Nothing is wrong with this one but for the recipe's preprocessing, which is asked much later: it is passed over.
  samples[1] = { id: 's1', input: [99, 1, 1], label: 1 };
  const sent = await trainer.client.call('POST', '/api/v1/samples', { samples });
  assert.deepEqual(sent, { taken: 9, duplicates: 0, waiting: 9 });
  // Two rounds of four; one sample waits for three more.
  const status = await until('it has learned from them', async () => {
    const current = await trainerStatus(trainer);
    return current.learner.progress?.step === 2 && current;
  });
  assert.deepEqual([status.head?.version, status.learner.progress?.samplesSeen], [3, 8]);
  const again = await trainer.client.call('POST', '/api/v1/samples', { samples });
  assert.deepEqual(again, { taken: 0, duplicates: 9, waiting: 1 });
  // Another recipe on the same directory is a mistake, and no reason to serve what there is.
  await trainer.end('SIGTERM');
  const other = ['start', '--port', '0', '--recipe', TEMPLATE, '--state', trainer.stateDirectory];
  const { exitCode, stderr } = await runCommand('freshet', [...other, '--log-level', 'silent']);
  assert.match(
    stderr,
    /^freshet: .*samples\.db holds samples of \[3\] float32 .*: use another --state directory\n$/,
  );
  assert.equal(exitCode, EXIT.refused);
});

it('a recipe that fails ends the trainer with its own stack', async (test) => {
  const directory = temporaryDirectory(test);
  const recipeFile = join(directory, 'broken.ts');
  writeFileSync(recipeFile, "const sensor: string = '1';\nthrow new RangeError('no sensor ' + sensor);\n");
  const start = ['start', '--port', '0', '--log-level', 'error', '--state', join(directory, 'state')];
  const { exitCode, stderr, stdout } = await runCommand('freshet', [...start, '--recipe', recipeFile]);
  assert.match(
    stderr,
    /^freshet: recipe .*broken\.ts: it fails while it is loaded: RangeError: no sensor 1 at .*broken\.ts:2:7\)\n$/,
  );
  assert.deepEqual([exitCode, stdout], [EXIT.usage, '']);
});
