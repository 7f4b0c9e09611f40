/** Held-out digits, and how many of them an agent's own served model gets right, asked over its HTTP port. */
import { FreshetError } from '@freshet/protocol/errors';
import { openMnist, pixelsToFloats } from '@freshet/trainer/learn/sources/mnist';

const BATCH_COUNT = 250;
const SIDE = 28;
const PIXELS = SIDE * SIDE;

interface Batch {
  /** An Open Inference Protocol request, written once and sent many times. */
  readonly body: string;
  readonly labels: readonly number[];
}

export class HeldOutDigits {
  readonly #batches: readonly Batch[];
  readonly #count: number;

  /** The first `count` digits of MNIST's test set; all 10,000 by default. */
  constructor(count = Number.POSITIVE_INFINITY) {
    const { test } = openMnist();
    this.#count = Math.min(count, test.count);
    const batches: Batch[] = [];
    for (let first = 0; first < this.#count; first += BATCH_COUNT) {
      const batchCount = Math.min(BATCH_COUNT, this.#count - first);
      const values = new Float32Array(batchCount * PIXELS);
      const labels = Array.from({ length: batchCount }, (_, i) => {
        const { input, label } = test.sample(first + i);
        pixelsToFloats(input, values.subarray(i * PIXELS, (i + 1) * PIXELS));
        return label;
      });
      const shape = [batchCount, SIDE, SIDE, 1];
      const input = { name: 'input', datatype: 'FP32', shape, data: [...values] };
      batches.push({ body: JSON.stringify({ inputs: [input] }), labels });
    }
    this.#batches = batches;
  }

  /** Share of the digits that the agent at `url` classifies rightly. @throws UNREACHABLE */
  async accuracyOf(url: string, modelId: string): Promise<number> {
    let correct = 0;
    for (const { body, labels } of this.#batches) {
      correct += countCorrect(await predict(`${url}/v2/models/${modelId}/infer`, body), labels);
    }
    return correct / this.#count;
  }
}

/** The logits, one row after the other. @throws UNREACHABLE */
async function predict(url: string, body: string): Promise<readonly number[]> {
  try {
    const response = await fetch(url, { method: 'POST', body });
    if (!response.ok) throw new Error(`status ${response.status}: ${await response.text()}`);
    const { outputs } = (await response.json()) as { outputs: [{ data: number[] }] };
    return outputs[0].data;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FreshetError('UNREACHABLE', `no prediction from ${url} (${why})`, { cause });
  }
}

function countCorrect(logits: readonly number[], labels: readonly number[]): number {
  const classCount = logits.length / labels.length;
  return labels.filter((label, row) => {
    const scores = logits.slice(row * classCount, (row + 1) * classCount);
    return scores.indexOf(Math.max(...scores)) === label;
  }).length;
}
