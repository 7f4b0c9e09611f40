/** What `freshet start` does: learner and hub in the foreground, until SIGINT or SIGTERM. */
import { untilAskedToEnd } from '@freshet/protocol/local/shutdown';
import { SingleBar } from 'cli-progress';
import { pino } from 'pino';
import { SAMPLE_LIMITS_DEFAULT } from '../history/sample-log/sample-capacity.ts';
import type { LearnerStatus } from '../service/learner-process.ts';
import type { PublisherOptions } from '../service/publisher.ts';
import { startTrainerService } from '../service/trainer-service.ts';
import type { StartOptions } from './start.ts';

/** Resolves when the trainer has ended in order. @throws FreshetError when it cannot start, or is of no use */
export async function startTrainer(options: StartOptions): Promise<void> {
  const log = pino({ level: options.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
  const progress = new InitialProgress();
  const service = await startTrainerService({
    stateDirectory: options.state,
    host: options.host,
    port: options.port,
    keepVersions: options.keepVersions,
    heartbeatMs: options.heartbeatMs,
    publisher: publisherOptions(options),
    trace: options.trace ?? false,
    log,
    onLearnerChange: (status) => progress.show(status),
    learner: {
      recipe: options.recipe,
      backend: options.backend,
      seed: options.seed,
      initialCount: options.initial,
      initialEpochs: options.initialEpochs,
      batchCount: options.batch,
      freshCount: options.fresh,
      strategy: options.strategy,
      trigger: options.trigger ?? null,
      sampler: options.sampler,
      optimiser: options.optimiser,
      learningRate: options.learningRate,
      warmUp: options.warmUp,
      resetOptimiser: options.resetOptimiser ?? false,
      sparsifier: options.sparsifier,
      selection: { scope: options.select, measure: options.by },
      density: options.density,
      values: options.values,
      publish: options.budget ?? options.publishEvery,
      sampleLimits: {
        ...SAMPLE_LIMITS_DEFAULT,
        historyMax: options.historySamples,
        bytesMax: options.historyBytes,
      },
      stepsMax: options.steps ?? null,
      checkpointEveryMs: 1000 * options.checkpointSeconds,
    },
  });
  log.info({ url: service.url, state: options.state }, 'listening');
  if (options.json) process.stdout.write(`${JSON.stringify({ url: service.url, pid: process.pid })}\n`);
  const failure = await Promise.race([service.failed, untilAskedToEnd().then(() => null)]);
  await service.close();
  if (failure !== null) throw failure;
}

function publisherOptions({ signingKey, previousKey, unsigned }: StartOptions): PublisherOptions {
  return {
    ...(signingKey !== undefined && { signingKey }),
    ...(previousKey !== undefined && { previousKey }),
    ...(unsigned !== undefined && { unsigned }),
  };
}

/** A progress bar for the initial training, where somebody looks. */
class InitialProgress {
  #bar: SingleBar | null = null;

  show({ state, progress }: LearnerStatus): void {
    if (!process.stderr.isTTY || progress === null) return;
    if (state === 'initial') {
      this.#bar ??= startBar(progress.planned ?? 0);
      this.#bar.update(progress.done, { loss: progress.loss.toFixed(3) });
      return;
    }
    // Steps are reported now and then: the last one may have gone by in silence.
    if (state === 'stream') this.#bar?.update(this.#bar.getTotal());
    this.#bar?.stop();
    this.#bar = null;
  }
}

function startBar(total: number): SingleBar {
  const bar = new SingleBar({
    format: 'initial training {bar} {percentage} % | {value}/{total} steps | {eta} s left | loss {loss}',
  });
  bar.start(total, 0, { loss: '–' });
  return bar;
}
