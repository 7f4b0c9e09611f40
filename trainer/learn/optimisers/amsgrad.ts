/**
 * AMSGrad (Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", ICLR 2018, algorithm 2): Adam that divides
 * by the largest second moment so far instead of the present one, so that the step size of a weight never grows again.
 * That algorithm corrects no bias; this does, as PyTorch does, for otherwise the first step would be
 * 0.1 / √0.001 = 3 times that of Adam.
 */
import * as tf from '@tensorflow/tfjs-core';
import { adamMoments, adamStep } from './adam.ts';
import type { UpdateRule } from './update-rule.ts';

export const amsgrad: UpdateRule = {
  name: 'amsgrad',
  slotNames: ['first', 'second', 'secondMax'],
  apply(input) {
    const { first, second } = adamMoments(input);
    const secondMax = tf.maximum(input.slots[2]!, second);
    return { value: adamStep(input, first, secondMax), slots: [first, second, secondMax] };
  },
};
