/** The child process in which a backend trains one of the bench's models. */
import { assert } from '@freshet/protocol/assert';
import { runExamination } from '@freshet/trainer/learn/doctor/run-examination';
import { STEP_MODEL_NAMES, stepRecipe } from './step-models.ts';

const model = STEP_MODEL_NAMES.find((name) => name === process.argv[3]);
assert(model !== undefined, 'the bench names one of its models');
await runExamination(await stepRecipe(model));
