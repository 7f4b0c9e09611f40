/**
 * Adam (Kingma and Ba, 2015, algorithm 1 in the order of computation given at the end of its section 2), with the
 * defaults of tfjs's `tf.train.adam`.
 *
 * Not tfjs's own, whose state cannot be restored exactly: it keys the moments by position in a list, and sets β₁ᵗ and
 * β₂ᵗ of a restored optimiser by `pow` where a running one has multiplied them up in float32. Here the moments belong
 * to tensor names and t is the only other state, so a resumed run equals an uninterrupted one bit for bit.
 */

import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import * as tf from '@tensorflow/tfjs-core';

const BETA_1 = 0.9;
const BETA_2 = 0.999;
const EPSILON = 1e-7;

export interface AdamMoments {
  /** Name of the tensor in the model, `conv1/kernel`. */
  readonly name: string;
  /** Running mean of the gradient, and of its square, in the tensor's own element order. */
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** All of an optimiser's state, apart from its settings. */
export interface AdamState {
  /** Updates applied so far: t of the paper. */
  readonly updateCount: number;
  readonly moments: readonly AdamMoments[];
}

interface Slot {
  readonly variable: tf.Variable;
  first: tf.Tensor;
  second: tf.Tensor;
}

export class Adam {
  readonly #learningRate: number;
  readonly #slots = new Map<string, Slot>();
  #updateCount = 0;

  /**
   * Updates `variables`, which stay the caller's, by name. All of its own tensors are made here, so that the number of
   * tensors alive never changes afterwards.
   */
  constructor(variables: ReadonlyMap<string, tf.Variable>, learningRate: number) {
    this.#learningRate = learningRate;
    for (const [name, variable] of variables) {
      this.#slots.set(name, { variable, first: tf.zerosLike(variable), second: tf.zerosLike(variable) });
    }
  }

  /** Applies one update. `gradients` has one gradient for each variable, by name, and stays the caller's. */
  update(gradients: ReadonlyMap<string, tf.Tensor>): void {
    assert(gradients.size === this.#slots.size, 'one gradient per variable');
    this.#updateCount += 1;
    const stepSize =
      (this.#learningRate * Math.sqrt(1 - BETA_2 ** this.#updateCount)) / (1 - BETA_1 ** this.#updateCount);
    const epsilon = EPSILON * Math.sqrt(1 - BETA_2 ** this.#updateCount);
    tf.tidy(() => {
      for (const [name, slot] of this.#slots) {
        const gradient = gradients.get(name);
        assert(gradient !== undefined, `a gradient for ${name}`);
        const first = tf.add(tf.mul(slot.first, BETA_1), tf.mul(gradient, 1 - BETA_1));
        const second = tf.add(tf.mul(slot.second, BETA_2), tf.mul(tf.square(gradient), 1 - BETA_2));
        const direction = tf.div(first, tf.add(tf.sqrt(second), epsilon));
        slot.variable.assign(tf.sub(slot.variable, tf.mul(direction, stepSize)));
        replace(slot, tf.keep(first), tf.keep(second));
      }
    });
  }

  /** A copy of the state. */
  async read(): Promise<AdamState> {
    const moments = [...this.#slots].map(async ([name, { first, second }]) => ({
      name,
      first: Float32Array.from(await first.data<'float32'>()),
      second: Float32Array.from(await second.data<'float32'>()),
    }));
    return { updateCount: this.#updateCount, moments: await Promise.all(moments) };
  }

  /**
   * Goes on from `state`, which is copied. The order of its moments does not matter.
   * @throws MODEL_MISMATCH when it is not the state of an optimiser of the same tensors; nothing is changed then
   */
  write(state: AdamState): void {
    const byName = new Map(state.moments.map((moments) => [moments.name, moments]));
    for (const [name, { variable }] of this.#slots) {
      const moments = byName.get(name);
      if (moments?.first.length !== variable.size || moments.second.length !== variable.size) {
        throw new FreshetError(
          'MODEL_MISMATCH',
          moments === undefined
            ? `the optimiser state has no moments for ${name}: it belongs to another model`
            : `the optimiser state has moments of another size for ${name}, which has ${variable.size} weights`,
        );
      }
    }
    if (byName.size !== this.#slots.size) {
      throw new FreshetError(
        'MODEL_MISMATCH',
        'the optimiser state has moments of tensors that the model lacks',
      );
    }
    for (const [name, slot] of this.#slots) {
      const { first, second } = byName.get(name)!;
      const { shape } = slot.variable;
      replace(slot, tf.tensor(first.slice(), shape), tf.tensor(second.slice(), shape));
    }
    this.#updateCount = state.updateCount;
  }

  /** Frees the moments. */
  dispose(): void {
    for (const { first, second } of this.#slots.values()) tf.dispose([first, second]);
    this.#slots.clear();
  }
}

function replace(slot: Slot, first: tf.Tensor, second: tf.Tensor): void {
  tf.dispose([slot.first, slot.second]);
  slot.first = first;
  slot.second = second;
}
