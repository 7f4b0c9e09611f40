/**
 * The learner's way of publishing: asks the policy when and how much, and the sparsifier what. A version that an earlier
 * run of the same learner has published is published again at the same step and with the same share, whatever the clock
 * says now; the trainer compares the two.
 */
import { assert } from '@freshet/protocol/assert';
import { asWeightsVersion, type WeightsVersion } from '@freshet/protocol/ids';
import { deltaWireBytes } from '../../core/frame-bytes.ts';
import type { PublishPolicy } from '../../core/publish-policy/publish-policy.ts';
import type { Sparsifier } from '../../core/sparsifiers/sparsifier.ts';
import type { LearnerSampleLog } from '../../history/sample-log/learner-sample-log.ts';
import type { CanonicalModel } from '../canonical-model.ts';
import type { LearnerChannel } from './ipc-channel.ts';
import type { PublicationNote } from './messages.ts';

/** `diverged`: the version that the log has under this number is another one. */
export type PublishOutcome = 'published' | 'nothing' | 'diverged' | 'stopped';

export interface VersionsParts {
  readonly channel: LearnerChannel;
  readonly canonical: CanonicalModel;
  readonly sparsifier: Sparsifier;
  readonly policy: PublishPolicy;
  readonly log: LearnerSampleLog;
  /** Whether the trainer signs what it publishes. */
  readonly signed: boolean;
}

export class Versions {
  readonly #parts: VersionsParts;
  /** Where the weights are read to for each publication. */
  readonly #trained: Float32Array;
  #head: WeightsVersion;

  /** `head`: the version whose weights are the sparsifier's shadow. */
  constructor(parts: VersionsParts, head: WeightsVersion) {
    this.#parts = parts;
    this.#trained = new Float32Array(parts.canonical.model.elementCount);
    this.#head = head;
  }

  get head(): WeightsVersion {
    return this.#head;
  }

  /** Publishes if it is time. */
  async publishIfDue(note: PublicationNote, nowMs: number): Promise<PublishOutcome> {
    const density = this.#dueDensity(note.step, nowMs);
    return density === null ? 'nothing' : this.publish(note, nowMs, density);
  }

  /** Publishes what has changed most, `density` of the weights at most; resolves when the trainer's log has it. */
  async publish(note: PublicationNote, nowMs: number, density: number): Promise<PublishOutcome> {
    const { channel, canonical, sparsifier, policy, log, signed } = this.#parts;
    const base = this.#head;
    const next = asWeightsVersion(base + 1);
    const trained = await canonical.readWeights(this.#trained);
    const { payload, changedCount, root } = sparsifier.publish(trained, next, density);
    const payloadBytes = payload.length;
    const bytes = changedCount === 0 ? 0 : deltaWireBytes({ base, next, payloadBytes, signed });
    policy.published({ step: note.step, nowMs, changedCount, bytes });
    if (changedCount === 0) return 'nothing';
    log.takePublication(next, { step: note.step, density });
    this.#head = next;
    await channel.send({ type: 'publication', base, next, root, payload, note });
    const answer = await channel.next('published');
    if (answer === null) return 'stopped';
    assert(answer.version === next, 'the answer to this publication');
    return answer.isSame ? 'published' : 'diverged';
  }

  #dueDensity(step: number, nowMs: number): number | null {
    const { log, policy } = this.#parts;
    const recorded = log.publication(this.#head + 1);
    if (recorded === null) return policy.due({ step, nowMs });
    return recorded.step === step ? recorded.density : null;
  }
}
