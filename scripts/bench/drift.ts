/**
 * A stand-in for training where training itself would take too long: how the weights of a model move under Adam from
 * one step of a stream to the next. Taken from LeNet-5 on MNIST (the last step of lenet5-trajectory.ts, seed 1), where,
 * in units of the learning rate, half of all changes are below 0.064, nine in ten below 0.24, 99 % below 0.51 and
 * 99.9 % below 0.77, and the changes of successive steps have a correlation of 0.94:
 *
 * - Each weight has a pace, in learning rates per step: 0.086 times a number with Student's t distribution of four
 *   degrees of freedom, which has a median magnitude of 0.741. More than Adam's bound is drawn again.
 * - In each step 6 % of the weights, drawn at random, get a new pace. All others keep theirs.
 * - With `channelSpread` σ, all paces of an output channel share a factor exp(σ · normal): changes come in clusters.
 */
import type { DeltaLayout } from '@freshet/protocol/delta-payload';
import type { TensorLayout } from '@freshet/protocol/onnx-layout';
import type { Random } from '@freshet/trainer/core/random';
import { normalDraw, studentDraw } from './draws.ts';

export interface DriftOptions {
  /** 0: all channels move alike. */
  readonly channelSpread: number;
}

interface DriftingModel extends DeltaLayout {
  readonly tensors: readonly TensorLayout[];
}

const LEARNING_RATE = 1e-3;
const PACE_SCALE = 0.086;
const PACE_FREEDOM = 4;
/** (1 − β₁) / √(1 − β₂) with the usual β: no step of Adam is larger (Kingma and Ba 2015, §2.1). */
const PACE_MAX = 0.1 / Math.sqrt(0.001);
const SHARE_REDRAWN = 0.06;

export class Drift {
  readonly #random: Random;
  /** Of each weight; factors of the channels included. */
  readonly #paces: Float32Array;
  readonly #factors: Float32Array | null;

  constructor(model: DriftingModel, random: Random, { channelSpread }: DriftOptions) {
    this.#random = random;
    this.#factors = channelSpread === 0 ? null : drawFactors(model, random, channelSpread);
    this.#paces = new Float32Array(model.elementCount);
    for (let i = 0; i < this.#paces.length; i++) this.#drawPace(i);
  }

  /** The weights one step later: a new array. */
  step(weights: Float32Array): Float32Array {
    const redrawnCount = Math.round(SHARE_REDRAWN * weights.length);
    for (let i = 0; i < redrawnCount; i++) this.#drawPace(this.#random.integerBelow(weights.length));
    return weights.map((weight, i) => weight + LEARNING_RATE * this.#paces[i]!);
  }

  #drawPace(index: number): void {
    const factor = this.#factors === null ? 1 : this.#factors[index]!;
    let pace: number;
    do pace = PACE_SCALE * studentDraw(this.#random, PACE_FREEDOM);
    while (Math.abs(pace) > PACE_MAX);
    this.#paces[index] = factor * pace;
  }
}

function drawFactors({ tensors, elementCount }: DriftingModel, random: Random, spread: number): Float32Array {
  const factors = new Float32Array(elementCount);
  for (const { shape, elementOffset, elementCount: count } of tensors) {
    const channelElements = count / (shape[0] ?? 1);
    for (let offset = 0; offset < count; offset += channelElements) {
      const start = elementOffset + offset;
      factors.fill(Math.exp(spread * normalDraw(random)), start, start + channelElements);
    }
  }
  return factors;
}
