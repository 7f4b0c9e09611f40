/** From what was asked for to the optimiser that does it. */
import type * as tf from '@tensorflow/tfjs-core';
import { adam } from './adam.ts';
import { amsgrad } from './amsgrad.ts';
import { momentum } from './momentum.ts';
import { Optimiser } from './optimiser.ts';
import type { OptimiserSpec } from './optimiser-spec.ts';
import { sgd } from './sgd.ts';
import type { UpdateRule } from './update-rule.ts';

/** A fresh optimiser of `variables`, which stay the caller's. The caller disposes of it. */
export function createOptimiser(spec: OptimiserSpec, variables: ReadonlyMap<string, tf.Variable>): Optimiser {
  return new Optimiser(variables, ruleOf(spec));
}

function ruleOf(spec: OptimiserSpec): UpdateRule {
  switch (spec.kind) {
    case 'adam':
      return adam;
    case 'amsgrad':
      return amsgrad;
    case 'sgd':
      return sgd;
    case 'momentum':
      return momentum(spec.coefficient, spec.nesterov);
  }
}
