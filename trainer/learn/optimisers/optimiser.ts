/**
 * Keeps the state of an optimiser: what its rule remembers of each tensor, by the tensor's name.
 *
 * Not tfjs's own optimisers, whose state cannot be restored exactly: they key it by position in a list, and Adam sets
 * β₁ᵗ and β₂ᵗ of a restored optimiser by `pow` where a running one has multiplied them up in float32. Here the number of
 * updates is the only state apart from the slots, so a resumed run equals an uninterrupted one bit for bit.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import * as tf from '@tensorflow/tfjs-core';
import type { RuleName, UpdateRule } from './update-rule.ts';

export interface OptimiserTensor {
  /** Name of the tensor in the model, `conv1/kernel`. */
  readonly name: string;
  /** By the name of the slot, in the tensor's own element order. */
  readonly slots: Readonly<Record<string, Float32Array>>;
}

/** All of an optimiser's state, apart from its settings. */
export interface OptimiserState {
  readonly rule: RuleName;
  /** Updates applied so far. */
  readonly updateCount: number;
  readonly tensors: readonly OptimiserTensor[];
}

interface Entry {
  readonly variable: tf.Variable;
  slots: readonly tf.Tensor[];
}

export class Optimiser {
  readonly #rule: UpdateRule;
  readonly #entries = new Map<string, Entry>();
  #updateCount = 0;

  /**
   * Updates `variables`, which stay the caller's, by name. All of its own tensors are made here, so that the number of
   * tensors alive never changes afterwards.
   */
  constructor(variables: ReadonlyMap<string, tf.Variable>, rule: UpdateRule) {
    this.#rule = rule;
    for (const [name, variable] of variables) {
      this.#entries.set(name, { variable, slots: rule.slotNames.map(() => tf.zerosLike(variable)) });
    }
  }

  /** Applies one update. `gradients` has one gradient for each variable, by name, and stays the caller's. */
  update(gradients: ReadonlyMap<string, tf.Tensor>, learningRate: number): void {
    assert(gradients.size === this.#entries.size, 'one gradient per variable');
    this.#updateCount += 1;
    const updateCount = this.#updateCount;
    for (const [name, entry] of this.#entries) {
      const gradient = gradients.get(name);
      assert(gradient !== undefined, `a gradient for ${name}`);
      // One tensor at a time: what is computed on the way takes several times its memory.
      tf.tidy(() => {
        const { variable, slots } = entry;
        const next = this.#rule.apply({ value: variable, slots, gradient, learningRate, updateCount });
        variable.assign(next.value);
        replaceSlots(
          entry,
          next.slots.map((slot) => tf.keep(slot)),
        );
      });
    }
  }

  /** Forgets all it has learnt: the next update is the first. */
  reset(): void {
    for (const entry of this.#entries.values()) {
      replaceSlots(
        entry,
        entry.slots.map((slot) => tf.zerosLike(slot)),
      );
    }
    this.#updateCount = 0;
  }

  /** A copy of the state. */
  async read(): Promise<OptimiserState> {
    const tensors = [...this.#entries].map(async ([name, { slots }]): Promise<OptimiserTensor> => {
      const named = slots.map(async (slot, i) => {
        const values = await slot.data<'float32'>();
        // A copy: the cpu backend hands out its own memory.
        return [this.#rule.slotNames[i]!, values.slice()] as const;
      });
      return { name, slots: Object.fromEntries(await Promise.all(named)) };
    });
    return {
      rule: this.#rule.name,
      updateCount: this.#updateCount,
      tensors: await Promise.all(tensors),
    };
  }

  /**
   * Goes on from `state`, which is copied. The order of its tensors does not matter.
   * @throws CONFIG_INVALID when it is the state of another kind of optimiser, MODEL_MISMATCH when it is that of other
   * tensors; nothing is changed then
   */
  write(state: OptimiserState): void {
    const byName = this.#checked(state);
    for (const [name, entry] of this.#entries) {
      const { slots } = byName.get(name)!;
      const { shape } = entry.variable;
      replaceSlots(
        entry,
        this.#rule.slotNames.map((slot) => tf.tensor(slots[slot]!.slice(), shape)),
      );
    }
    this.#updateCount = state.updateCount;
  }

  /** The tensors of `state` by name, when they are those of this optimiser. */
  #checked(state: OptimiserState): ReadonlyMap<string, OptimiserTensor> {
    if (state.rule !== this.#rule.name) {
      throw new FreshetError(
        'CONFIG_INVALID',
        `the optimiser of the checkpoint is ${state.rule}, the one asked for ${this.#rule.name}: ask for ` +
          `${state.rule}, or remove learner.checkpoint from the state directory to go on from the newest published version`,
      );
    }
    const byName = new Map(state.tensors.map((tensor) => [tensor.name, tensor]));
    for (const [name, { variable }] of this.#entries) {
      const tensor = byName.get(name);
      if (tensor === undefined) throw mismatch(`nothing of ${name}`);
      for (const slot of this.#rule.slotNames) {
        if (tensor.slots[slot]?.length === variable.size) continue;
        throw mismatch(
          `${tensor.slots[slot]?.length ?? 'no'} values of ${name} (${slot}), which has ${variable.size} weights`,
        );
      }
    }
    const foreign = state.tensors.find(({ name }) => !this.#entries.has(name));
    if (foreign !== undefined) throw mismatch(`values of ${foreign.name}, which the model lacks`);
    return byName;
  }

  /** Frees the state. */
  dispose(): void {
    for (const { slots } of this.#entries.values()) tf.dispose([...slots]);
    this.#entries.clear();
  }
}

function replaceSlots(entry: Entry, slots: readonly tf.Tensor[]): void {
  tf.dispose([...entry.slots]);
  entry.slots = slots;
}

function mismatch(what: string): FreshetError {
  return new FreshetError('MODEL_MISMATCH', `the optimiser state belongs to another model: it has ${what}`);
}
