/** The thread behind `HashThread`. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { assert } from '../assert.ts';
import { type SharedClimb, takePart } from '../blake3/shared-climb.ts';
import { THREAD_IDLE } from './hash-thread.ts';

assert(parentPort !== null, 'this module runs in a worker thread');

const state: Int32Array = workerData;
for (;;) {
  Atomics.store(state, 0, THREAD_IDLE);
  Atomics.wait(state, 0, THREAD_IDLE);
  const received = receiveMessageOnPort(parentPort);
  if (received !== undefined) takePart(received.message as SharedClimb);
}
