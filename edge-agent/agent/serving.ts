/**
 * Brings the version that should answer requests into service: watches the distance between the store's target
 * (the pinned version, else the head) and what the predictor answers with, and closes it: by a patch where the deltas
 * that lead there are at hand, else by loading the model anew. Versions that arrive while one is being built are
 * passed over: only the newest is. A version that the predictor refuses is
 * quarantined, and the one before keeps answering. A predictor whose thread dies is replaced.
 */
import { assert } from '@freshet/protocol/assert';
import { composeDeltas, type SparseDelta } from '@freshet/protocol/delta';
import { FreshetError } from '@freshet/protocol/errors';
import { type Position, samePosition, type WeightsVersion } from '@freshet/protocol/ids';
import { joinModel } from '@freshet/protocol/model';
import type { Logger } from 'pino';
import type { ModelSignature } from '../core/tensor.ts';
import type { InferRequest, InferResult, PatchOutcome, Predictor } from '../serve/predictor.ts';
import type { WeightStore } from '../store/weight-store.ts';

/** A version during whose building the thread died this often is taken to be the cause. */
const CRASHES_MAX = 2;

export interface ServingPorts {
  readonly store: WeightStore;
  readonly log: Logger;
  /** `onFailure` is called once if the predictor's thread dies. */
  startPredictor(onFailure: (error: FreshetError) => void): Predictor;
  /** `buildMs`: from the order to the first answer with the new weights. */
  onServed(position: Position, buildMs: number): void;
  onQuarantined(version: WeightsVersion, error: FreshetError): void;
}

/** A change of more of the weights than this is not worth keeping: loading them all costs no more. */
const WAY_SHARE_MAX = 0.25;

interface WayToHead {
  readonly from: Position;
  readonly delta: SparseDelta;
}

interface LoadedPredictor {
  readonly predictor: Predictor;
  readonly signature: ModelSignature;
}

export class Serving {
  readonly #ports: ServingPorts;
  #loaded: LoadedPredictor | null = null;
  /** Whether ONNX Runtime has ever answered in this process: if not, its failures say nothing about a version. */
  #isProven = false;
  #crashes = { version: 0, count: 0 };
  /** What was built last, or is being built. */
  #heading: Position | null = null;
  /** The change from a version to the head: spares loading all of the model where that version is served. */
  #wayToHead: WayToHead | null = null;
  #stale = false;
  #refreshing: Promise<void> | null = null;
  /** Work on the predictor, one piece after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(ports: ServingPorts) {
    this.#ports = ports;
  }

  /** The version that answers requests, or null while none does. */
  served(): Position | null {
    return this.#loaded?.predictor.position() ?? null;
  }

  signature(): ModelSignature | null {
    return this.#loaded?.signature ?? null;
  }

  /** @throws NOT_READY while no version answers; what `Predictor.infer` throws. */
  async infer(request: InferRequest): Promise<InferResult> {
    if (this.#loaded === null) {
      throw new FreshetError(
        'NOT_READY',
        'no version is being served yet: the first one has to come from the hub',
      );
    }
    return this.#loaded.predictor.infer(request);
  }

  /**
   * Resolves when the target that the store names now, or a newer one, answers or has been quarantined.
   * @throws PREDICTOR_FAILED when ONNX Runtime does not work on this machine at all
   */
  refresh(): Promise<void> {
    this.#stale = true;
    this.#refreshing ??= this.#inTurn(() => this.#run());
    return this.#refreshing;
  }

  /**
   * To be called when the head has moved from `previous`, by `delta` if that is what has moved it. Resolves as
   * `refresh` does.
   */
  follow(previous: Position | null, delta: SparseDelta | null): Promise<void> {
    this.#wayToHead = delta === null ? null : this.#extendWay(previous, delta);
    return this.refresh();
  }

  #extendWay(previous: Position | null, delta: SparseDelta): WayToHead | null {
    const way = this.#wayToHead;
    if (way !== null) {
      const whole = composeDeltas(way.delta, delta);
      const isLong = whole.indices.length > WAY_SHARE_MAX * this.#ports.store.headWeights().length;
      return isLong ? null : { from: way.from, delta: whole };
    }
    return previous !== null && samePosition(previous, this.#heading) ? { from: previous, delta } : null;
  }

  /**
   * Serves `target`, which need not be what the store names. `commit` is called as soon as it answers, before anything
   * else can happen to the predictor, and makes it what the store names.
   * @throws VERSION_QUARANTINED when it cannot be served: it is quarantined, and what was served is served on.
   * What `WeightStore.weightsOf` throws: nothing has changed then.
   */
  async switchTo(target: Position, commit: () => void): Promise<void> {
    await this.#inTurn(async () => {
      const outcome = samePosition(target, this.served())
        ? null
        : await this.#build(target, this.#ports.store.weightsOf(target.version));
      if (outcome?.kind === 'refused') {
        if (!this.#isCrash(target)) this.#quarantine(target, outcome.error);
        throw new FreshetError(
          'VERSION_QUARANTINED',
          `version ${target.version} cannot be served (${outcome.error.message}); what was served is served on`,
        );
      }
      commit();
      if (outcome !== null) this.#ports.onServed(target, outcome.buildMs);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    await this.#loaded?.predictor.close();
    this.#loaded = null;
  }

  async #run(): Promise<void> {
    try {
      while (this.#stale && !this.#closed) {
        this.#stale = false;
        await this.#approach();
      }
    } finally {
      this.#refreshing = null;
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    // Whoever asked for the work hears of its failure; the next piece is not concerned.
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #approach(): Promise<void> {
    const { store } = this.#ports;
    const target = store.target();
    if (target === null || samePosition(target, this.served())) return;
    const weights = samePosition(target, store.head())
      ? store.headWeights()
      : store.weightsOf(target.version);
    const outcome = await this.#build(target, weights);
    if (outcome.kind === 'served') {
      this.#ports.onServed(target, outcome.buildMs);
      return;
    }
    this.#stale = true;
    if (!this.#isCrash(target)) this.#quarantine(target, outcome.error);
  }

  #quarantine({ version }: Position, error: FreshetError): void {
    this.#ports.log.error({ version }, `quarantined: ${error.message}`);
    this.#ports.store.quarantine(version, error.message);
    this.#ports.onQuarantined(version, error);
  }

  /** `weights` may be the store's own: they are read before the first await. */
  #build(target: Position, weights: Float32Array): Promise<PatchOutcome> {
    const way = this.#wayToHead;
    this.#wayToHead = null;
    this.#heading = target;
    const isWay =
      samePosition(way?.from ?? null, this.served()) && samePosition(target, this.#ports.store.head());
    if (this.#loaded !== null && way !== null && isWay)
      return this.#patch(this.#loaded.predictor, way.delta, target);
    return this.#load(target, weights);
  }

  async #patch(predictor: Predictor, delta: SparseDelta, target: Position): Promise<PatchOutcome> {
    try {
      return await predictor.patch(delta, target);
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** All of the model anew, in the thread that there is or in a new one. */
  async #load(target: Position, weights: Float32Array): Promise<PatchOutcome> {
    const model = this.#ports.store.identity?.model;
    assert(model !== undefined, 'weights belong to a model');
    const startedMs = performance.now();
    const file = joinModel(model, weights);
    let isDead = false;
    const started = this.#loaded === null;
    const predictor =
      this.#loaded?.predictor ??
      this.#ports.startPredictor((error) => {
        isDead = true;
        this.#onPredictorFailure(predictor, error);
      });
    try {
      const signature = await predictor.load(file, model.tensors, target);
      this.#loaded = { predictor, signature };
      this.#isProven = true;
      return { kind: 'served', buildMs: performance.now() - startedMs };
    } catch (error) {
      const refusal = refusalOf(error);
      // Not the version's fault: quarantining one after the other would cost the device its whole history.
      if (isDead && !this.#isProven) {
        const why = `ONNX Runtime does not work on this machine: ${refusal.error.message}`;
        throw new FreshetError('PREDICTOR_FAILED', why, { cause: error });
      }
      if (started) await predictor.close();
      return refusal;
    }
  }

  /** Whether the failure to build `target` was the thread's death and the version deserves another try. */
  #isCrash(target: Position): boolean {
    if (this.#loaded !== null) return false;
    const before = this.#crashes.version === target.version ? this.#crashes.count : 0;
    this.#crashes = { version: target.version, count: before + 1 };
    return this.#crashes.count < CRASHES_MAX;
  }

  #onPredictorFailure(predictor: Predictor, error: FreshetError): void {
    if (this.#loaded?.predictor !== predictor) return;
    this.#ports.log.error(`${error.message}; starting another one`);
    this.#loaded = null;
    void this.refresh();
  }
}

/** A failure of the predictor as an outcome; anything else goes on its way. */
function refusalOf(error: unknown): Extract<PatchOutcome, { kind: 'refused' }> {
  if (error instanceof FreshetError && error.code === 'PREDICTOR_FAILED') return { kind: 'refused', error };
  throw error;
}
