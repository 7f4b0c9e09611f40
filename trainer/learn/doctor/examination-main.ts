/** The child process of the doctor's examinations. */
import { mnistLenet5 } from '../recipes/mnist-lenet5.ts';
import { runExamination } from './run-examination.ts';

await runExamination(mnistLenet5);
