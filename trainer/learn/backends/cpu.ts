/** The backend in plain JavaScript: runs everywhere, about a hundred times slower than the others. */
import * as tf from '@tensorflow/tfjs-core';
import type { Backend } from './backend.ts';

export const cpuBackend: Backend = {
  name: 'cpu',
  async start() {
    await import('@tensorflow/tfjs-backend-cpu');
    await tf.setBackend('cpu');
    return { kind: 'started', adapter: 'JavaScript, 1 thread' };
  },
};
