/**
 * The tensors of a ResNet-18 for ten classes, with the names, shapes and order of torchvision's `resnet18`, but for the
 * first convolution, which is 3 × 3 as usual for small images: 11,173,962 weights in 62 tensors. BatchNorm's running
 * statistics, which no optimiser moves, are left out.
 */
import type { TensorSpec } from './generated-model.ts';

const STAGES = [64, 128, 256, 512] as const;
const BLOCKS_PER_STAGE = 2;
const CLASS_COUNT = 10;

export function resnet18Tensors(): readonly TensorSpec[] {
  const [stem, , , last] = STAGES;
  const stages = STAGES.flatMap((channels, i) => {
    const before = STAGES[i - 1] ?? stem;
    return Array.from({ length: BLOCKS_PER_STAGE }, (_, block) =>
      basicBlock(`layer${i + 1}.${block}`, block === 0 ? before : channels, channels),
    ).flat();
  });
  return [
    convolution('conv1', 3, stem, 3),
    ...batchNorm('bn1', stem),
    ...stages,
    {
      name: 'fc.weight',
      shape: [CLASS_COUNT, last],
      initial: { kind: 'uniform', bound: 1 / Math.sqrt(last) },
    },
    { name: 'fc.bias', shape: [CLASS_COUNT], initial: { kind: 'uniform', bound: 1 / Math.sqrt(last) } },
  ];
}

function basicBlock(name: string, from: number, to: number): TensorSpec[] {
  const main = [
    convolution(`${name}.conv1`, from, to, 3),
    ...batchNorm(`${name}.bn1`, to),
    convolution(`${name}.conv2`, to, to, 3),
    ...batchNorm(`${name}.bn2`, to),
  ];
  if (from === to) return main;
  return [
    ...main,
    convolution(`${name}.downsample.0`, from, to, 1),
    ...batchNorm(`${name}.downsample.1`, to),
  ];
}

/** As torchvision initialises them: He et al. 2015, by fan-out. */
function convolution(name: string, from: number, to: number, side: number): TensorSpec {
  const deviation = Math.sqrt(2 / (to * side * side));
  return { name: `${name}.weight`, shape: [to, from, side, side], initial: { kind: 'normal', deviation } };
}

function batchNorm(name: string, channels: number): TensorSpec[] {
  return [
    { name: `${name}.weight`, shape: [channels], initial: { kind: 'constant', value: 1 } },
    { name: `${name}.bias`, shape: [channels], initial: { kind: 'constant', value: 0 } },
  ];
}
