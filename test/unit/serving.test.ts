/** What brings versions into service, when the thread under it fails. */
import { strict as assert } from 'node:assert';
import { it, type TestContext } from 'node:test';
import { Serving, type ServingPorts } from '@freshet/edge-agent/agent/serving';
import { PREDICTOR_DEFAULTS, type Predictor, WorkerPredictor } from '@freshet/edge-agent/serve/predictor';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { FreshetError } from '@freshet/protocol/errors';
import { pino } from 'pino';
import { storeWith } from '../support/sum-store.ts';

/** Fault injection: a thread that dies of whatever it is asked, as with an ONNX Runtime that cannot be loaded. */
function dyingPredictor(onFailure: (error: FreshetError) => void): Predictor {
  const error = new FreshetError('PREDICTOR_FAILED', 'the thread has died');
  const die = async () => {
    onFailure(error);
    throw error;
  };
  return { load: die, patch: die, infer: die, position: () => null, close: async () => undefined };
}

function setUp(test: TestContext, startPredictor: ServingPorts['startPredictor']) {
  const store = WeightStore.open(storeWith(test, [1, 2, 3]), { clock: Date.now });
  const served: number[] = [];
  const serving = new Serving({
    store,
    log: pino({ level: 'silent' }),
    startPredictor,
    onServed: ({ version }) => served.push(version),
    onQuarantined: () => undefined,
  });
  test.after(async () => {
    await serving.close();
    store.close();
  });
  return { store, serving, served };
}

const startReal: ServingPorts['startPredictor'] = (onFailure) =>
  new WorkerPredictor({ ...PREDICTOR_DEFAULTS, onFailure });

it('an ONNX Runtime that does not work here costs no version', async (test) => {
  const { store, serving } = setUp(test, dyingPredictor);
  await assert.rejects(serving.refresh(), /ONNX Runtime does not work on this machine/);
  assert.deepEqual(
    store.versions().map(({ state }) => state),
    ['ok', 'ok', 'ok'],
  );
});

it('a thread that dies after it has worked is replaced', async (test) => {
  let starts = 0;
  let kill: (() => void) | null = null;
  const { serving, served } = setUp(test, (onFailure) => {
    starts++;
    kill ??= () => onFailure(new FreshetError('PREDICTOR_FAILED', 'killed by the test'));
    const predictor = startReal(onFailure);
    // Only its owner takes the first one for dead.
    test.after(() => predictor.close());
    return predictor;
  });
  await serving.refresh();
  assert(kill !== null);
  (kill as () => void)();
  assert.equal(serving.served(), null);
  await serving.refresh();
  assert.equal(serving.served()?.version, 3);
  assert.deepEqual([starts, served], [2, [3, 3]]);
});

it('calls while a version is being built lead to the newest, and to no more builds than needed', async (test) => {
  const { serving, served } = setUp(test, startReal);
  await Promise.all([serving.refresh(), serving.refresh(), serving.refresh()]);
  assert.deepEqual(served, [3]);
});
