/** All of tfjs that a recipe works with, as the package `@tensorflow/tfjs` has it: core and layers under one name. */
import * as core from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';

export type Tfjs = Omit<typeof core, 'default'> & Omit<typeof layers, 'default'>;

export const tfjs: Tfjs = { ...core, ...layers };
