/**
 * Control of a stopped agent: works on its database, and builds a predictor only to answer an inference. The store's
 * lock keeps an agent from starting meanwhile.
 */
import { FreshetError } from '@freshet/protocol/errors';
import type { SamplesAnswer } from '@freshet/protocol/local/samples-api';
import { joinModel } from '@freshet/protocol/model';
import { parseInferRequest } from '../core/oip-request.ts';
import { inferResponse } from '../core/oip-response.ts';
import { type RollbackTarget, resolveRollback } from '../core/rollback-target.ts';
import type { ModelSignature } from '../core/tensor.ts';
import { takeSamples } from '../feedback/take-samples.ts';
import { OIP_LIMIT_DEFAULTS } from '../serve/oip-app.ts';
import { PREDICTOR_DEFAULTS, WorkerPredictor } from '../serve/predictor.ts';
import type { FeedbackStatus } from '../store/feedback-table.ts';
import type { VerifyReport } from '../store/verify.ts';
import type { VersionInfo } from '../store/version-table.ts';
import { WeightStore } from '../store/weight-store.ts';
import type { AgentControl, AgentStatus, RollbackReport } from './agent-control.ts';
import { statusOfStore } from './store-status.ts';

export class StoredAgent implements AgentControl {
  readonly #store: WeightStore;
  #loaded: Promise<LoadedModel> | null = null;

  /** @throws CONFIG_INVALID when there is no database at `path`; STORE_* */
  constructor(path: string) {
    this.#store = WeightStore.open(path, { clock: Date.now, mustExist: true });
  }

  async status(): Promise<AgentStatus> {
    return { ...statusOfStore(this.#store), process: null };
  }

  async versions(): Promise<readonly VersionInfo[]> {
    return this.#store.versions();
  }

  async rollback(target: RollbackTarget): Promise<RollbackReport> {
    const startedMs = performance.now();
    const before = this.#store.target();
    const version = resolveRollback(target, this.#store.versions(), before?.version ?? null);
    if (version === null) this.#store.unpin();
    else this.#store.pin(version);
    const after = this.#store.target();
    if (after === null)
      throw new FreshetError('VERSION_UNKNOWN', 'no version is stored yet: there is nothing to serve');
    return { before, after, pinned: version !== null, durationMs: performance.now() - startedMs };
  }

  async verify(): Promise<VerifyReport> {
    return this.#store.verify();
  }

  async feedback(): Promise<FeedbackStatus> {
    return this.#store.feedback.status();
  }

  async addSamples(samples: readonly unknown[]): Promise<SamplesAnswer> {
    const body = Buffer.from(JSON.stringify({ samples }));
    const outcome = takeSamples(this.#store.feedback, body, 'json');
    if (outcome.kind === 'taken') return outcome.answer;
    const { code, error } = outcome.refusal;
    throw new FreshetError(code, error, { details: { answer: outcome.refusal } });
  }

  async signature(): Promise<ModelSignature> {
    const { signature } = await this.#load();
    return signature;
  }

  async infer(request: unknown): Promise<unknown> {
    const { modelId, predictor, signature } = await this.#load();
    const parsed = parseInferRequest(JSON.stringify(request), signature, OIP_LIMIT_DEFAULTS);
    const { position, outputs } = await predictor.infer(parsed);
    return inferResponse(modelId, position, outputs, parsed.id);
  }

  async close(): Promise<void> {
    // Whoever asked for a model has heard that it cannot be loaded.
    const loaded = await this.#loaded?.catch(() => null);
    await loaded?.predictor.close();
    this.#store.close();
  }

  #load(): Promise<LoadedModel> {
    this.#loaded ??= this.#startPredictor();
    return this.#loaded;
  }

  async #startPredictor(): Promise<LoadedModel> {
    const target = this.#store.target();
    const model = this.#store.identity?.model;
    if (target === null || model === undefined) {
      throw new FreshetError('NOT_READY', 'no version is stored yet: the first one has to come from the hub');
    }
    const predictor = new WorkerPredictor({ ...PREDICTOR_DEFAULTS, onFailure: () => undefined });
    const file = joinModel(model, this.#store.weightsOf(target.version));
    try {
      const signature = await predictor.load(file, model.tensors, target);
      return { modelId: model.modelId, predictor, signature };
    } catch (error) {
      await predictor.close();
      throw error;
    }
  }
}

interface LoadedModel {
  readonly modelId: string;
  readonly predictor: WorkerPredictor;
  readonly signature: ModelSignature;
}
