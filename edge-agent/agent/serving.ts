/**
 * Brings the version that should answer requests into service: watches the distance between the store's target
 * (the pinned version, else the head) and what the predictor answers with, and closes it. Versions that arrive while
 * a patch is under way are passed over: only the newest is built. A version that the predictor refuses is
 * quarantined, and the one before keeps answering. A predictor whose thread dies is replaced.
 */
import { assert } from '@freshet/protocol/assert';
import { applyDelta, diffWeights } from '@freshet/protocol/delta';
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

interface LoadedPredictor {
  readonly predictor: Predictor;
  readonly signature: ModelSignature;
  /** Copy of the weights that the predictor holds, to tell what a patch has to change. */
  readonly mirror: Float32Array;
}

export class Serving {
  readonly #ports: ServingPorts;
  #loaded: LoadedPredictor | null = null;
  #crashes = { version: 0, count: 0 };
  #stale = false;
  #running: Promise<void> | null = null;
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

  /** Resolves when the target that the store names now, or a newer one, answers or has been quarantined. */
  refresh(): Promise<void> {
    this.#stale = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
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
      this.#running = null;
    }
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
    if (this.#isCrash(target)) return;
    this.#ports.log.error({ version: target.version }, `quarantined: ${outcome.error.message}`);
    store.quarantine(target.version, outcome.error.message);
    this.#ports.onQuarantined(target.version, outcome.error);
  }

  /** `weights` may be the store's own: they are read before the first await. */
  async #build(target: Position, weights: Float32Array): Promise<PatchOutcome> {
    try {
      if (this.#loaded === null) return await this.#load(target, weights.slice());
      const { predictor, mirror } = this.#loaded;
      const delta = diffWeights(mirror, weights);
      const outcome = await predictor.patch(delta, target);
      if (outcome.kind === 'served') applyDelta(mirror, delta);
      return outcome;
    } catch (error) {
      if (error instanceof FreshetError && error.code === 'PREDICTOR_FAILED')
        return { kind: 'refused', error };
      throw error;
    }
  }

  async #load(target: Position, weights: Float32Array): Promise<PatchOutcome> {
    const model = this.#ports.store.identity?.model;
    assert(model !== undefined, 'weights belong to a model');
    const startedMs = performance.now();
    const predictor = this.#ports.startPredictor((error) => this.#onPredictorFailure(predictor, error));
    try {
      const signature = await predictor.load(joinModel(model, weights), model.tensors, target);
      this.#loaded = { predictor, signature, mirror: weights };
    } catch (error) {
      await predictor.close();
      throw error;
    }
    return { kind: 'served', buildMs: performance.now() - startedMs };
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
