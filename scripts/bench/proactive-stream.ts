/** Proactive training with the trainer's own defaults on samples in memory: one step at a time. */

import { assert } from '@freshet/protocol/assert';
import { NO_WARM_UP } from '@freshet/trainer/core/learning-rate';
import { createRandom, type Random } from '@freshet/trainer/core/random';
import { createSampler } from '@freshet/trainer/core/samplers/create-sampler';
import { createStrategy, defaultTrigger } from '@freshet/trainer/core/strategies/create-strategy';
import { createTrigger } from '@freshet/trainer/core/triggers/create-trigger';
import type { SampleSet } from '@freshet/trainer/learn/sample-source';
import { MemoryStock } from '@freshet/trainer/learn/stream/memory-stock';
import { StreamTraining, streamStart } from '@freshet/trainer/learn/stream/stream-training';
import type { TrainStep } from '@freshet/trainer/learn/train-step';

/** b and t of the trainer's defaults. */
export const PROACTIVE = { batchCount: 128, freshCount: 8 };
const LEARNING_RATE = 1e-3;

/** A stream whose first `historyCount` samples are history. Each call of what it returns is one step. */
export function proactiveSteps(
  trainStep: TrainStep,
  samples: SampleSet,
  historyCount: number,
  random: Random,
): () => Promise<void> {
  const spec = { kind: 'proactive' } as const;
  const sampler = createSampler({ kind: 'uniform', limit: null });
  // The uniform sampler draws nothing when it is told of a sample.
  for (let arrival = 0; arrival < historyCount; arrival++) sampler.add(arrival, null, createRandom(0));
  const stream = new StreamTraining(
    {
      trainStep,
      stock: new MemoryStock(samples, trainStep.recipe, PROACTIVE.batchCount),
      strategy: createStrategy(spec, PROACTIVE),
      trigger: createTrigger(defaultTrigger(spec, PROACTIVE), 0),
      sampler,
      schedule: { fullRate: LEARNING_RATE, warmUp: NO_WARM_UP },
      groupCount: PROACTIVE.freshCount,
      waitingMax: Number.POSITIVE_INFINITY,
    },
    streamStart(1, historyCount, random),
  );
  return async () => {
    const isDue = await stream.begin(0);
    assert(isDue, 'samples are left');
    await stream.step();
  };
}
