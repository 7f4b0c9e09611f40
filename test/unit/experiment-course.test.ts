/** One run of an experiment, on a stream that is far shorter than those of a full experiment. */
import { strict as assert } from 'node:assert';
import { before, describe, it } from 'node:test';
import { NO_WARM_UP } from '@freshet/trainer/core/learning-rate';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { runExperiment } from '../../scripts/experiment/experiment.ts';
import { runCourse } from '../../scripts/experiment/run/course.ts';
import { trainInitialModel } from '../../scripts/experiment/run/initial-model.ts';
import type { Images } from '../../scripts/experiment/streams/images.ts';
import type { Stream } from '../../scripts/experiment/streams/stream.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SIDE = 28;

/** Image i has a bright row for its class, i mod 10. */
const images = (count: number): Images => ({
  count,
  classCount: 10,
  side: SIDE,
  copyInput: (index, target, offset) =>
    target
      .fill(0, offset, offset + SIDE * SIDE)
      .fill(1, offset + SIDE * (index % 10), offset + SIDE * (1 + (index % 10))),
  label: (index) => index % 10,
});

before(() => selectBackend('wasm'));

describe('a run of an experiment', () => {
  it('has the accuracies of every phase, also of those that no step ends in', async () => {
    // Steps end at 128 and 256: the second phase is over within the first step, the last one begins after the last.
    const starts = [0, 100, 120, 290];
    const stream: Stream = {
      name: 'short',
      images: images(300),
      initialCount: 0,
      phases: starts.map((start, i) => ({ name: String(i), start })),
      tests: [{ name: 'all', images: images(20) }],
    };
    const initial = await trainInitialModel(stream, 1, 1);
    const spec = {
      name: 'no history',
      strategy: 'online',
      sampler: 'window:1',
      freshCount: 8,
      warmUp: NO_WARM_UP,
      resetOptimiser: false,
      replicas: [],
    };
    const { accuracies, steps } = await runCourse(spec, stream, 1, initial);
    assert.equal(steps, 2);
    assert.equal(accuracies.length, starts.length);
    assert.deepEqual(accuracies[1], accuracies[0], 'both ended with the first step');
    assert(accuracies.flat().every((each) => each >= 0 && each <= 1));
  });

  it('is refused where no run has the name that was asked for, with the names that there are', async (test) => {
    const options = {
      scale: 0.01,
      seedCount: 1,
      backend: 'wasm',
      out: temporaryDirectory(test),
      reportOnly: false,
    } as const;
    await assert.rejects(
      runExperiment({ ...options, name: 'drift', only: 'splot' }, test.diagnostic.bind(test)),
      { code: 'CONFIG_INVALID', message: /^--only splot: no run has it; there are .*split class-balanced; / },
    );
  });
});
