/**
 * The Open Inference Protocol over real HTTP with a real predictor: every endpoint, every status, and that a version
 * named in the path is the one that answers.
 */
import { strict as assert } from 'node:assert';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { asWeightsVersion } from '@freshet/protocol/ids';
import type { HttpServer } from '@freshet/protocol/local/http-server';
import { readOnnxLayout } from '@freshet/protocol/onnx-layout';
import type { ModelSignature } from '../../edge-agent/core/tensor.ts';
import { type InferenceService, OIP_LIMIT_DEFAULTS, oipApp } from '../../edge-agent/serve/oip-app.ts';
import type { InferRequest, InferResult, WorkerPredictor } from '../../edge-agent/serve/predictor.ts';
import { HttpClient } from '../support/http-client.ts';
import { sumModel } from '../support/onnx-models.ts';
import { patchOf, positionOf, startPredictor, startServer } from '../support/serving.ts';

const X = { name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 1000] };
const ROOT = positionOf(7).root;

/** What the app sees of an agent, with each part open to the test. */
class Agent implements InferenceService {
  modelId: string | null = 'sum';
  model: ModelSignature | null = null;
  predictor: WorkerPredictor | null = null;
  /** Runs between the checks of a request and its inference. */
  beforeInference: (() => Promise<unknown>) | null = null;
  /** Runs when a request for the model has arrived, before its body is read. */
  onArrival: (() => void) | null = null;

  served() {
    return this.predictor?.position() ?? null;
  }

  versions() {
    return [5, 7].map(asWeightsVersion);
  }

  signature() {
    this.onArrival?.();
    return this.model;
  }

  async infer(request: InferRequest): Promise<InferResult> {
    await this.beforeInference?.();
    assert.ok(this.predictor !== null);
    return this.predictor.infer(request);
  }
}

describe('open inference protocol', () => {
  const inferences: number[] = [];
  const bugs: unknown[] = [];
  const service = new Agent();
  const cleanups: (() => Promise<void> | void)[] = [];
  const cleanup = { after: (action: () => Promise<void> | void) => cleanups.push(action) };
  let onInference: ((httpStatus: number) => void) | null = null;
  let server: HttpServer;
  let client: HttpClient;

  const get = async (path: string) => {
    const { status, text } = await client.get(path);
    return [status, JSON.parse(text)];
  };
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const { status, text } = await client.post(path, body, headers);
    return [status, JSON.parse(text)];
  };
  const refusal = (status: number, error: string) => [status, { error }];

  before(async () => {
    const app = oipApp(service, {
      serverName: 'freshet-agent',
      serverVersion: '1.2.3',
      ...OIP_LIMIT_DEFAULTS,
      bodyBytesMax: 1000,
      onInference: (status, seconds) => {
        assert.ok(seconds > 0 && seconds < 10);
        inferences.push(status);
        onInference?.(status);
      },
      onBug: (error) => bugs.push(error),
    });
    server = await startServer(cleanup, app);
    client = new HttpClient(cleanup, server.url);
  });

  after(async () => {
    for (const action of cleanups) await action();
    assert.deepEqual(bugs, []);
  });

  it('is live but not ready before the first version', async () => {
    service.modelId = null;
    assert.deepEqual(await get('/v2/health/live'), [200, { live: true }]);
    assert.deepEqual(await get('/v2/health/ready'), [503, { ready: false }]);
    assert.deepEqual(
      await get('/v2/models/sum/ready'),
      refusal(503, 'no model has arrived yet; try again soon'),
    );
    service.modelId = 'sum';
    assert.deepEqual(await get('/v2/models/sum/ready'), [503, { name: 'sum', ready: false }]);
    assert.deepEqual(await get('/v2/models/sum'), refusal(503, 'no weights are loaded yet; try again soon'));
    const answer = await client.post('/v2/models/sum/infer', { inputs: [X] });
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
  });

  it('is ready when a version is warm', async () => {
    service.predictor = startPredictor(cleanup);
    const file = sumModel(7);
    service.model = await service.predictor.load(file, readOnnxLayout(file), positionOf(7));
    assert.deepEqual(await get('/v2/health/ready'), [200, { ready: true }]);
    assert.deepEqual(await get('/v2/models/sum/ready'), [200, { name: 'sum', ready: true }]);
    assert.deepEqual(await get('/v2/models/sum/versions/7/ready'), [200, { name: 'sum', ready: true }]);
    assert.deepEqual(await get('/v2/models/sum/versions/5/ready'), [503, { name: 'sum', ready: false }]);
  });

  it('describes server and model', async () => {
    const expected = {
      name: 'sum',
      versions: ['5', '7'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
      parameters: { served_version: '7', root: ROOT },
    };
    assert.deepEqual(await get('/v2'), [200, { name: 'freshet-agent', version: '1.2.3', extensions: [] }]);
    assert.deepEqual(await get('/v2/models/sum'), [200, expected]);
    assert.deepEqual(await get('/v2/models/sum/versions/5'), [200, expected]);
  });

  it('infers, and says which version did', async () => {
    const { status, headers, text } = await client.post('/v2/models/sum/infer', { id: 'r1', inputs: [X] });
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['freshet-weights-version'], '7');
    assert.equal(headers['freshet-weights-root'], ROOT);
    assert.deepEqual(JSON.parse(text), {
      model_name: 'sum',
      model_version: '7',
      id: 'r1',
      parameters: { root: ROOT },
      outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 1], data: [7 * 1002] }],
    });
    const batch = {
      ...X,
      shape: [2, 2],
      data: [
        [1, 0],
        [0, 1],
      ],
    };
    const [, answer] = await post('/v2/models/sum/versions/7/infer', { inputs: [batch] });
    assert.deepEqual(answer.outputs, [{ name: 'y', datatype: 'FP32', shape: [2, 1], data: [14, 14] }]);
    assert.equal('id' in answer, false);
  });

  it('says what is wrong with a path', async () => {
    const unknownModel = refusal(404, 'no model "mnist" here; this device serves "sum"');
    for (const path of ['', '/ready', '/versions/7', '/versions/7/ready']) {
      assert.deepEqual(await get(`/v2/models/mnist${path}`), unknownModel);
    }
    assert.deepEqual(await post('/v2/models/mnist/infer', { inputs: [X] }), unknownModel);
    const unknownVersion = refusal(404, 'version "6" is not stored here; version 7 is served');
    assert.deepEqual(await get('/v2/models/sum/versions/6'), unknownVersion);
    assert.deepEqual(await get('/v2/models/sum/versions/6/ready'), unknownVersion);
    assert.deepEqual(await post('/v2/models/sum/versions/6/infer', { inputs: [X] }), unknownVersion);
    assert.deepEqual(
      await post('/v2/models/sum/versions/5/infer', { inputs: [X] }),
      refusal(404, 'version 5 is stored but does not answer; version 7 is served'),
    );
    assert.deepEqual(
      await get('/v2/models/sum/infer'),
      refusal(404, 'no such endpoint: GET /v2/models/sum/infer'),
    );
  });

  it('says what is wrong with a request', async () => {
    const path = '/v2/models/sum/infer';
    assert.deepEqual(await post(path, '{'), refusal(400, 'the body is not JSON'));
    assert.deepEqual(await post(path, { inputs: [] }), refusal(400, 'inputs: "x" is missing'));
    assert.deepEqual(
      await post(path, { inputs: [X] }, { 'Inference-Header-Content-Length': '10' }),
      refusal(400, 'binary tensor data is not supported; send the tensors as JSON'),
    );
    const huge = { ...X, shape: [1, 2], data: [3e38, 3e38] };
    const [status, { error }] = await post(path, { inputs: [huge] });
    assert.deepEqual(
      [status, error],
      [500, 'the model answers these inputs with Infinity in output "y", which JSON cannot express'],
    );
  });

  it('refuses a body over the limit, with and without an announced length, and serves on', async () => {
    const path = '/v2/models/sum/infer';
    const body = ' '.repeat(3000) + JSON.stringify({ inputs: [X] });
    const tooLarge = refusal(413, 'the body is larger than 1000 bytes; send smaller batches');
    assert.deepEqual(await post(path, body, { 'Content-Length': String(body.length) }), tooLarge);
    assert.deepEqual(await post(path, body, { 'Transfer-Encoding': 'chunked' }), tooLarge);
    const small = JSON.stringify({ inputs: [X] });
    const [status] = await post(path, small, { 'Transfer-Encoding': 'chunked' });
    assert.equal(status, 200);
  });

  it('takes a client that goes away half-way for no bug of ours', async () => {
    for (const framing of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
      const arrived = Promise.withResolvers<void>();
      const answered = Promise.withResolvers<number>();
      service.onArrival = arrived.resolve;
      onInference = answered.resolve;
      const socket = connect(server.port, '127.0.0.1');
      socket.write(`POST /v2/models/sum/infer HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n5\r\n{"inp`);
      await arrived.promise;
      socket.destroy();
      assert.equal(await answered.promise, 400);
    }
    service.onArrival = null;
    onInference = null;
    assert.deepEqual(bugs, []);
  });

  it('never lets another version answer for the one in the path', async () => {
    service.beforeInference = async () =>
      service.predictor?.patch(patchOf([0, 1, 2], [5, 5, 5]), positionOf(5));
    assert.deepEqual(
      await post('/v2/models/sum/versions/7/infer', { inputs: [X] }),
      refusal(404, 'version 7 is stored but does not answer; version 5 is served'),
    );
    service.beforeInference = null;
    const [status, answer] = await post('/v2/models/sum/versions/5/infer', { inputs: [X] });
    assert.deepEqual([status, answer.model_version, answer.outputs[0].data], [200, '5', [5 * 1002]]);
  });

  it('counts every inference request by its status', () => {
    assert.deepEqual([...new Set(inferences)].sort(), [200, 400, 404, 413, 500, 503]);
  });

  it('hides a bug from the client and reports it', async () => {
    const bug = new Error('secret');
    service.beforeInference = () => Promise.reject(bug);
    assert.deepEqual(await post('/v2/models/sum/infer', { inputs: [X] }), refusal(500, 'internal error'));
    assert.deepEqual(bugs.splice(0), [bug]);
  });
});
