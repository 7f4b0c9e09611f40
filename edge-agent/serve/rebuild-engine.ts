/**
 * Changes weights by building a new ONNX Runtime session: patch the bytes of the file, create, warm, swap, release the
 * old one. The old session answers until the new one has proven that it can, and a failure takes the bytes back.
 * Costs one copy of the file in memory and a build per change (1–2 ms for LeNet-5, 40–80 ms for ResNet-18); works for
 * every model and keeps all of ONNX Runtime's optimisations.
 */
import { assert } from '@freshet/protocol/assert';
import type { SparseDelta } from '@freshet/protocol/delta';
import { patchWeights, type TensorLayout } from '@freshet/protocol/onnx-layout';
import type { ModelSignature, NamedTensor } from '../core/tensor.ts';
import { readWeightBits } from '../core/weight-bits.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { OrtSession } from './ort-session.ts';
import { warmUp } from './warm-up.ts';

export class RebuildEngine implements Engine {
  readonly signature: ModelSignature;
  readonly #file: Uint8Array;
  readonly #layout: readonly TensorLayout[];
  readonly #options: EngineOptions;
  #session: OrtSession;
  #busy = false;

  private constructor(
    file: Uint8Array,
    layout: readonly TensorLayout[],
    options: EngineOptions,
    session: OrtSession,
  ) {
    this.#file = file;
    this.#layout = layout;
    this.#options = options;
    this.#session = session;
    this.signature = session.signature;
  }

  /**
   * Keeps `file`, a complete ONNX file, and writes into it from then on.
   * @throws PREDICTOR_FAILED when it cannot be loaded or cannot answer.
   */
  static async load(
    file: Uint8Array,
    layout: readonly TensorLayout[],
    options: EngineOptions,
  ): Promise<RebuildEngine> {
    return new RebuildEngine(file, layout, options, await openWarm(file, options));
  }

  async patch({ indices, valueBits }: SparseDelta): Promise<void> {
    await this.#exclusively(async () => {
      const before = readWeightBits(this.#file, this.#layout, indices);
      patchWeights(this.#file, this.#layout, indices, valueBits);
      const old = this.#session;
      try {
        this.#session = await openWarm(this.#file, this.#options);
      } catch (error) {
        patchWeights(this.#file, this.#layout, indices, before);
        throw error;
      }
      await old.release();
    });
  }

  async infer(inputs: readonly NamedTensor[], outputs: readonly string[]): Promise<NamedTensor[]> {
    return this.#exclusively(() => this.#session.run(inputs, outputs));
  }

  async dispose(): Promise<void> {
    await this.#exclusively(() => this.#session.release());
  }

  /** What makes it safe to release the old session at once: nothing can be running in it. */
  async #exclusively<Result>(action: () => Promise<Result>): Promise<Result> {
    assert(!this.#busy, 'calls of an engine do not overlap');
    this.#busy = true;
    try {
      return await action();
    } finally {
      this.#busy = false;
    }
  }
}

async function openWarm(file: Uint8Array, options: EngineOptions): Promise<OrtSession> {
  const session = await OrtSession.open(file, options);
  try {
    await warmUp(session);
  } catch (error) {
    await session.release();
    throw error;
  }
  return session;
}
