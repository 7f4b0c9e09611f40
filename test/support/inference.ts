/** Digits through an agent's HTTP port. */
export interface Inference {
  readonly version: number;
  readonly root: string;
  readonly logits: readonly number[];
}

export function inferenceBody(digits: Float32Array, count: number): string {
  const shape = [count, 28, 28, 1];
  return JSON.stringify({ inputs: [{ name: 'input', datatype: 'FP32', shape, data: [...digits] }] });
}

/** @throws for any answer but 200 */
export async function inferAt(url: string, body: string): Promise<Inference> {
  const response = await fetch(`${url}/v2/models/mnist-lenet5/infer`, { method: 'POST', body });
  if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
  const { outputs } = (await response.json()) as { outputs: [{ data: number[] }] };
  return {
    version: Number(response.headers.get('freshet-weights-version')),
    root: response.headers.get('freshet-weights-root') ?? '',
    logits: outputs[0].data,
  };
}
