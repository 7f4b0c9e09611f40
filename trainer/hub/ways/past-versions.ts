/**
 * Going back from one version of the log to an older one, without holding up the hub: the log is read here, a bounded
 * part in each turn of the event loop, and what is read is worked on in a thread of its own. One run at a time.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import { asWeightsVersion, type Position, type WeightsVersion } from '@freshet/protocol/ids';
import type { VersionLog } from '../../history/version-log.ts';
import { TurnQueue } from './turn-queue.ts';
import type { WayAnswer, WayQuestion } from './way-messages.ts';
import { WayThread } from './way-thread.ts';

/** What is read from the log in one turn of the event loop, about a millisecond; and what is under way to the thread. */
const UNDO_BYTES_PER_TURN = 1024 * 1024;

/** All weights of one version. */
export interface VersionWeights {
  readonly position: Position;
  readonly weights: Float32Array;
}

export class PastVersions {
  readonly #log: VersionLog;
  readonly #thread = new WayThread();
  readonly #queue = new TurnQueue();
  readonly #closing = new AbortController();

  constructor(log: VersionLog) {
    this.#log = log;
  }

  /**
   * The payload of one delta from `base` to `end`, in exact values; null where one message cannot hold it. Takes the
   * weights of `end`; null stands for the head as it is when the work begins, and what that was is in the answer.
   * @throws NOT_READY when the thread is lost; VERSION_UNKNOWN when the log forgets the run meanwhile; STORE_CORRUPT
   */
  squash(
    base: WeightsVersion,
    end: VersionWeights | null,
    signal: AbortSignal,
  ): Promise<{ readonly end: Position; readonly payload: Uint8Array | null }> {
    return this.#inTurn(signal, async () => {
      const from = end ?? this.#copyOfHead();
      const answer = await this.#goBack('squash', from, base);
      assert(answer.type === 'squashed', 'a squash is answered in kind');
      return { end: from.position, payload: answer.payload };
    });
  }

  /**
   * All weights of `version`, proven by its root: the caller's own.
   * @throws NOT_READY when the thread is lost; VERSION_UNKNOWN when the log does not hold it (any more); STORE_CORRUPT
   */
  weightsOf(version: WeightsVersion, signal: AbortSignal): Promise<Float32Array> {
    return this.#inTurn(signal, async () => {
      const root = this.#log.rootOf(version);
      if (root === null) throw forgotten(version);
      const answer = await this.#goBack('weights', this.#copyOfHead(), version);
      assert(answer.type === 'restored', 'weights are answered in kind');
      if (answer.root !== root) {
        throw this.#log.corruption(new Error(`version ${version} does not match its root`));
      }
      return answer.weights;
    });
  }

  /** Gives up what is under way and what waits. */
  async close(): Promise<void> {
    this.#closing.abort(new FreshetError('NOT_READY', 'the hub is stopping'));
    await this.#thread.close();
  }

  #inTurn<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    return this.#queue.run(work, AbortSignal.any([signal, this.#closing.signal]));
  }

  async #goBack(
    makes: 'squash' | 'weights',
    { position, weights }: VersionWeights,
    base: WeightsVersion,
  ): Promise<WayAnswer> {
    const model = this.#log.model();
    assert(model !== null, 'a log with a head has a model');
    const { tensors, elementCount, digest: modelDigest } = model;
    await this.#ask({ type: 'begin', makes, weights, layout: { tensors, elementCount }, modelDigest }, [
      weights.buffer as ArrayBuffer,
    ]);
    let reached = position.version;
    while (reached > base) {
      await nextTurn();
      this.#closing.signal.throwIfAborted();
      const undos = this.#log.undos(reached, base, UNDO_BYTES_PER_TURN);
      if (undos.length === 0) throw forgotten(base);
      await this.#ask({ type: 'undos', undos });
      reached = asWeightsVersion(reached - undos.length);
    }
    return this.#ask({ type: 'finish', base });
  }

  async #ask(question: WayQuestion, transfer: readonly ArrayBuffer[] = []): Promise<WayAnswer> {
    const answer = await this.#thread.ask(question, transfer);
    if (answer.type !== 'failed') return answer;
    // What the log holds was right when it was written.
    throw this.#log.corruption(new FreshetError(answer.code, answer.message));
  }

  #copyOfHead(): VersionWeights {
    const position = this.#log.head();
    assert(position !== null, 'a log with older versions has a head');
    return { position, weights: this.#log.headWeights().slice() };
  }
}

function forgotten(version: WeightsVersion): FreshetError {
  return new FreshetError('VERSION_UNKNOWN', `version ${version} is not in the log (any more)`);
}
