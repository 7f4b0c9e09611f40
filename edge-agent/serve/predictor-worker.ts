/**
 * Entry point of the predictor's thread: owns the engine and the position it serves, and carries out one call after
 * the other, so that an inference runs entirely before or entirely after a patch. A bug (anything but a FreshetError)
 * ends the thread; the main thread reports it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { assert, unreachable } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { Position } from '@freshet/protocol/ids';
import type { Engine } from './engine.ts';
import { ExitGate } from './exit-gate.ts';
import {
  failureOf,
  type Numbered,
  type PredictorAnswer,
  type PredictorCall,
  type PredictorWorkerData,
} from './predictor-messages.ts';
import { RebuildEngine } from './rebuild-engine.ts';

interface Served {
  readonly engine: Engine;
  readonly position: Position;
}

assert(parentPort !== null, 'this file runs in a worker thread');
const port = parentPort;
// Written by `WorkerPredictor` of the same release.
const { engineOptions, exitGateMemory }: PredictorWorkerData = workerData;
const exitGate = new ExitGate(exitGateMemory);

let served: Served | null = null;
let turn = Promise.resolve();

port.on('message', ({ id, content }: Numbered<PredictorCall>) => {
  turn = turn.then(async () => {
    const answer: Numbered<PredictorAnswer> = { id, content: await exitGate.during(() => carryOut(content)) };
    // Copied, not transferred: output memory may belong to ONNX Runtime.
    port.postMessage(answer);
    if (content.kind === 'close') port.close();
  });
});

async function carryOut(call: PredictorCall): Promise<PredictorAnswer> {
  try {
    switch (call.kind) {
      case 'load':
        return await load(call);
      case 'patch':
        return await patch(call);
      case 'infer':
        return await infer(call);
      case 'close':
        await served?.engine.dispose();
        return { kind: 'closed' };
      default:
        return unreachable(call);
    }
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    return { kind: 'failed', failure: failureOf(error) };
  }
}

async function load(call: PredictorCall & { kind: 'load' }): Promise<PredictorAnswer> {
  const engine = await RebuildEngine.load(call.file, call.layout, engineOptions);
  const old = served;
  served = { engine, position: call.position };
  await old?.engine.dispose();
  return { kind: 'loaded', signature: engine.signature };
}

async function patch(call: PredictorCall & { kind: 'patch' }): Promise<PredictorAnswer> {
  assert(served !== null, 'a model is loaded before it is patched');
  const { engine } = served;
  const startMs = performance.now();
  await engine.patch({ indices: call.indices, valueBits: call.valueBits });
  served = { engine, position: call.next };
  return { kind: 'patched', buildMs: performance.now() - startMs };
}

async function infer(call: PredictorCall & { kind: 'infer' }): Promise<PredictorAnswer> {
  if (served === null) throw new FreshetError('NOT_READY', 'no weights are loaded yet; try again soon');
  const { engine, position } = served;
  const names = call.outputs ?? engine.signature.outputs.map(({ name }) => name);
  return { kind: 'inferred', position, outputs: await engine.infer(call.inputs, names) };
}
