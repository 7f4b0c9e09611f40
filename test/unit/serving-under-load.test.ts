/**
 * Inference while the weights change: 200 versions are patched in as fast as they build, and several clients ask over
 * HTTP all the while. In version v all three weights of the model are v, so that x = (1, 1000) gives exactly 1002·v;
 * an answer of anything but the version its header names, a mixture of two included, has another value.
 */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { asWeightsVersion } from '@freshet/protocol/ids';
import { readOnnxLayout } from '@freshet/protocol/onnx-layout';
import { OIP_LIMIT_DEFAULTS, oipApp } from '../../edge-agent/serve/oip-app.ts';
import { HttpClient } from '../support/http-client.ts';
import { sumModel } from '../support/onnx-models.ts';
import { patchOf, positionOf, startPredictor, startServer } from '../support/serving.ts';

const VERSION_COUNT = 200;
const CLIENT_COUNT = 4;

it('answers every request with exactly one version while 200 are applied', async (test) => {
  const statuses = new Set<number>();
  const predictor = startPredictor(test);
  const file = sumModel(1);
  const signature = await predictor.load(file, readOnnxLayout(file), positionOf(1));
  const app = oipApp(
    {
      modelId: 'sum',
      served: () => predictor.position(),
      versions: () => Array.from({ length: VERSION_COUNT }, (_, i) => asWeightsVersion(i + 1)),
      signature: () => signature,
      infer: (request) => predictor.infer(request),
    },
    {
      serverName: 'test',
      serverVersion: '0',
      ...OIP_LIMIT_DEFAULTS,
      onInference: (status) => statuses.add(status),
      onBug: (error) => {
        throw error;
      },
    },
  );
  const server = await startServer(test, app);
  const seen = new Set<number>();
  let answerCount = 0;
  let isPatching = true;

  const ask = async (client: HttpClient): Promise<number> => {
    const answer = await client.post('/v2/models/sum/infer', {
      inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 1000] }],
    });
    assert.equal(answer.status, 200, answer.text);
    const version = Number(answer.headers['freshet-weights-version']);
    const body = JSON.parse(answer.text);
    assert.equal(body.model_version, String(version));
    assert.equal(answer.headers['freshet-weights-root'], positionOf(version).root);
    assert.deepEqual(body.outputs[0].data, [1002 * version]);
    return version;
  };
  const askUntilPatched = async (): Promise<void> => {
    const client = new HttpClient(test, server.url);
    let last = 0;
    while (isPatching) {
      const version = await ask(client);
      assert.ok(version >= last, `version ${version} after ${last}`);
      last = version;
      seen.add(version);
      answerCount++;
    }
    assert.equal(await ask(client), VERSION_COUNT);
  };
  const patchAll = async (): Promise<void> => {
    for (let version = 2; version <= VERSION_COUNT; version++) {
      const outcome = await predictor.patch(
        patchOf([0, 1, 2], [version, version, version]),
        positionOf(version),
      );
      assert.equal(outcome.kind, 'served');
    }
    isPatching = false;
  };

  await Promise.all([patchAll(), ...Array.from({ length: CLIENT_COUNT }, askUntilPatched)]);
  test.diagnostic(`${answerCount} answers from ${seen.size} versions`);
  assert.ok(
    seen.size > 10,
    `only ${seen.size} versions were seen: the load did not overlap with the patches`,
  );
  assert.deepEqual([...statuses], [200]);
});
