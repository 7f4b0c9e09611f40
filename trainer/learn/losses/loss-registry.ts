/** The losses that a recipe can name. A new one is a file here, a line in `LOSSES` and in the types. */
import type { TargetFormat } from '@freshet/protocol/sample-format';
import { invalidField } from '../recipe-error.ts';
import { huber } from './huber.ts';
import type { Loss } from './loss.ts';
import { meanSquaredError } from './mean-squared-error.ts';
import { sigmoidCrossEntropy } from './sigmoid-cross-entropy.ts';
import { softmaxCrossEntropy } from './softmax-cross-entropy.ts';

/** For targets that are classes. */
export type ClassLossName = 'softmax-cross-entropy';
/** For targets that are vectors; Huber's δ is 1 where none is given. */
export type VectorLossName = 'sigmoid-cross-entropy' | 'mean-squared-error' | 'huber' | `huber:${number}`;

const HUBER_DELTA = 1;

const CLASS_LOSSES = 'softmax-cross-entropy';
const VECTOR_LOSSES = 'one of sigmoid-cross-entropy, mean-squared-error, huber, huber:DELTA';

/** @throws CONFIG_INVALID when there is no such loss for this kind of target */
export function namedLoss(name: string, target: TargetFormat): Loss {
  const loss = target.kind === 'class' ? classLoss(name, target.classCount) : vectorLoss(name);
  if (loss !== null) return loss;
  const known = target.kind === 'class' ? CLASS_LOSSES : VECTOR_LOSSES;
  throw invalidField(
    'loss',
    `is "${name}"; with a target of kind "${target.kind}" it has to be ${known}, or a function`,
  );
}

function classLoss(name: string, classCount: number): Loss | null {
  return name === 'softmax-cross-entropy' ? softmaxCrossEntropy(classCount) : null;
}

function vectorLoss(name: string): Loss | null {
  switch (name) {
    case 'sigmoid-cross-entropy':
      return sigmoidCrossEntropy;
    case 'mean-squared-error':
      return meanSquaredError;
    case 'huber':
      return huber(HUBER_DELTA);
    default:
      return parseHuber(name);
  }
}

/** `huber:DELTA` */
function parseHuber(name: string): Loss | null {
  const text = /^huber:(.+)$/.exec(name)?.[1];
  if (text === undefined) return null;
  const delta = Number(text);
  if (Number.isFinite(delta) && delta > 0) return huber(delta);
  throw invalidField(
    'loss',
    `is "${name}"; DELTA of huber:DELTA has to be a positive number, as in huber:0.5`,
  );
}
