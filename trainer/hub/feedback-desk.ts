/**
 * Takes the samples of all agents, one batch in each turn of the event loop: a batch costs a commit, and sockets and
 * health checks have their turns in between. It holds the batches that wait, one of each session at most.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import { readWireSample, samplesMessage } from '@freshet/protocol/feedback';
import type { AgentId } from '@freshet/protocol/ids';
import { NAME_BYTES_MAX } from '@freshet/protocol/limits';
import type { IncomingSample, Sample, SampleFormat, SampleProblem } from '@freshet/protocol/sample-format';
import type { Logger } from 'pino';
import type { FeedbackResult, FeedbackSamples } from '../core/session-state.ts';
import { encodeFrame } from './frame.ts';
import type { HubCounters } from './hub-counters.ts';
import type { SampleIntake } from './sample-intake.ts';

/** The learner takes some steps in this time. */
const RETRY_MS = 1000;
/** A disk that refuses needs somebody to look after it. */
const RETRY_AFTER_FAILURE_MS = 60_000;

/** A UTF-16 unit takes at most three bytes of UTF-8. */
const REASON_LENGTH_MAX = Math.floor(NAME_BYTES_MAX / 3);

export interface FeedbackBatch {
  readonly agentId: AgentId;
  /** As the agent numbers it. */
  readonly batch: number;
  readonly samples: FeedbackSamples;
}

interface WaitingBatch extends FeedbackBatch {
  readonly answer: (result: FeedbackResult) => void;
}

type Settlement = Omit<FeedbackResult, 'type' | 'batch'>;

export class FeedbackDesk {
  readonly #counts: HubCounters['feedback'];
  readonly #logger: Logger;
  readonly #waiting = new Set<WaitingBatch>();
  #intake: SampleIntake | null = null;
  #frame: Buffer | null = null;
  #turn: NodeJS.Immediate | null = null;

  /** `counts` are counted up. */
  constructor(counts: HubCounters['feedback'], logger: Logger) {
    this.#counts = counts;
    this.#logger = logger;
  }

  get isOpen(): boolean {
    return this.#intake !== null;
  }

  /** The message that says what samples look like. Shared by all sockets. */
  get frame(): Buffer {
    assert(this.#frame !== null, 'samples are announced when they can be taken');
    return this.#frame;
  }

  /** From now on samples are taken. Once. */
  open(intake: SampleIntake): void {
    assert(this.#intake === null, 'what samples look like does not change');
    this.#intake = intake;
    this.#frame = encodeFrame(samplesMessage(intake.format));
  }

  /** Takes a batch in its turn; `answer` hears what has become of it, unless the desk stops before. */
  take(batch: FeedbackBatch, answer: (result: FeedbackResult) => void): void {
    this.#waiting.add({ ...batch, answer });
    this.#turn ??= setImmediate(() => this.#takeNext());
  }

  /** Nothing is taken any more. */
  stop(): void {
    this.#waiting.clear();
    if (this.#turn !== null) clearImmediate(this.#turn);
    this.#turn = null;
  }

  #takeNext(): void {
    const [next] = this.#waiting;
    assert(next !== undefined && this.#intake !== null, 'a turn has a batch to take');
    this.#waiting.delete(next);
    this.#turn = this.#waiting.size === 0 ? null : setImmediate(() => this.#takeNext());
    next.answer({ type: 'feedbackResult', batch: next.batch, ...this.#settle(next, this.#intake) });
  }

  #settle({ agentId, samples }: FeedbackBatch, intake: SampleIntake): Settlement {
    const { good, refused } = sorted(samples, intake.format);
    const outcome = this.#append(good, `agent/${agentId}`, intake);
    if (outcome.kind === 'later') {
      this.#counts.deferredBatches++;
      return { taken: 0, duplicates: 0, refused: [], retryMs: outcome.retryMs };
    }
    const { taken, duplicates } = outcome;
    this.#counts.taken += taken;
    this.#counts.duplicates += duplicates;
    this.#counts.refused += refused.length;
    if (refused.length > 0) {
      this.#logger.info({ agentId, count: refused.length, first: refused[0]?.reason }, 'refused samples');
    }
    return { taken, duplicates, refused, retryMs: null };
  }

  #append(
    samples: readonly IncomingSample[],
    origin: string,
    intake: SampleIntake,
  ):
    | { readonly kind: 'settled'; readonly taken: number; readonly duplicates: number }
    | { readonly kind: 'later'; readonly retryMs: number } {
    const sum = { taken: 0, duplicates: 0 };
    const { waitingMax } = intake.capacity;
    try {
      // Parts that were taken before one that was not are duplicates the next time.
      for (let first = 0; first < samples.length; first += waitingMax) {
        const outcome = intake.append(samples.slice(first, first + waitingMax), origin);
        if (outcome.kind === 'full') return { kind: 'later', retryMs: RETRY_MS };
        sum.taken += outcome.taken;
        sum.duplicates += outcome.duplicates;
      }
      return { kind: 'settled', ...sum };
    } catch (error) {
      if (!(error instanceof FreshetError)) throw error;
      if (error.code === 'STORE_LOCKED') return { kind: 'later', retryMs: RETRY_MS };
      // The devices keep their samples, and the versions that they follow do not depend on this log.
      this.#logger.error({ code: error.code }, `${error.message}; samples of devices wait there`);
      return { kind: 'later', retryMs: RETRY_AFTER_FAILURE_MS };
    }
  }
}

/** What may be trained on, and the others with the reason. */
function sorted(
  samples: FeedbackSamples,
  format: SampleFormat,
): { good: readonly IncomingSample[]; refused: FeedbackResult['refused'] } {
  const good: IncomingSample[] = [];
  const refused: { index: number; reason: string }[] = [];
  for (const [index, wire] of samples.entries()) {
    const sample: Sample | SampleProblem = readWireSample(format, wire);
    if ('reason' in sample) {
      const reason = `${sample.field} ${sample.reason}`.slice(0, REASON_LENGTH_MAX);
      refused.push({ index, reason });
    } else {
      good.push({ id: wire.id, ...sample });
    }
  }
  return { good, refused };
}
