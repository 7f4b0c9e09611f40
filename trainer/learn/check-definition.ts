/** Whether what a person wrote into a recipe has the right form. What needs tfjs is checked when the model is built. */
import { NAME_BYTES_MAX, TENSOR_RANK_MAX } from '@freshet/protocol/limits';
import * as v from 'valibot';
import type { RecipeDefinition } from './recipe.ts';
import { invalidField, shown } from './recipe-error.ts';

/** Elements of one input or target: what a batch of thousands still fits into memory with. */
const ELEMENT_COUNT_MAX = 2 ** 24;

const FUNCTION = 'it has to be a function';
const fn = v.function(FUNCTION);

const size = (message: string, min: number) =>
  v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(ELEMENT_COUNT_MAX, message),
  );

const NAME = `it has to be a name of letters, digits, dots, dashes and underscores, ${NAME_BYTES_MAX} at most`;
const SHAPE =
  'it has to be a list of positive integers, such as [28, 28, 1]: the shape of one input without the batch';

const shape = v.pipe(
  v.array(v.pipe(v.number(SHAPE), v.integer(SHAPE), v.minValue(1, SHAPE)), SHAPE),
  v.minLength(1, SHAPE),
  // The batch axis comes before it.
  v.maxLength(TENSOR_RANK_MAX - 1, `it has to have ${TENSOR_RANK_MAX - 1} dimensions at most`),
  v.check(
    (dimensions) => dimensions.reduce((product, dimension) => product * dimension, 1) <= ELEMENT_COUNT_MAX,
    `it has to have ${ELEMENT_COUNT_MAX} elements at most`,
  ),
);

const INPUT = 'it has to be { shape, dtype }';
const DTYPE = "it has to be 'uint8' or 'float32': what samples are sent and stored as";

const TARGET = "it has to be { kind: 'class', classCount } or { kind: 'vector', elementCount }";
const CLASS_COUNT = `it has to be the number of classes, an integer from 2 to ${ELEMENT_COUNT_MAX}`;
const ELEMENT_COUNT = `it has to be the number of elements, an integer from 1 to ${ELEMENT_COUNT_MAX}`;

const target = v.variant(
  'kind',
  [
    v.strictObject({ kind: v.literal('class'), classCount: size(CLASS_COUNT, 2) }),
    v.strictObject({ kind: v.literal('vector'), elementCount: size(ELEMENT_COUNT, 1) }),
  ],
  TARGET,
);

const METRIC_NAME = 'it has to be a name of 100 characters at most';

const metric = v.union(
  [
    v.string(),
    v.strictObject({
      name: v.pipe(v.string(METRIC_NAME), v.minLength(1, METRIC_NAME), v.maxLength(100, METRIC_NAME)),
      better: v.picklist(['higher', 'lower'], "it has to be 'higher' or 'lower'"),
      measure: fn,
    }),
  ],
  "it has to be a metric's name or { name, better: 'higher' or 'lower', measure }",
);

const LOSS = "it has to be a loss's name, such as 'huber', or a function";

const schema = v.strictObject(
  {
    name: v.pipe(v.string(NAME), v.regex(/^[\w.-]+$/, NAME), v.maxLength(NAME_BYTES_MAX, NAME)),
    input: v.strictObject({ shape, dtype: v.picklist(['uint8', 'float32'], DTYPE) }, INPUT),
    target,
    preprocess: v.optional(fn),
    buildModel: fn,
    loss: v.union([v.string(), fn], LOSS),
    metric: v.optional(metric),
    openSource: v.optional(fn),
  },
  'it has to be { name, input, target, loss, buildModel, … }',
);

/** What belongs into a field that has to be there. Of one that is not, valibot says only what the whole should be. */
const REQUIRED: Readonly<Record<string, string>> = {
  name: NAME,
  input: INPUT,
  'input.shape': SHAPE,
  'input.dtype': DTYPE,
  target: TARGET,
  'target.classCount': CLASS_COUNT,
  'target.elementCount': ELEMENT_COUNT,
  buildModel: FUNCTION,
  loss: LOSS,
};

/** `definition`, whatever its author's compiler let through. @throws CONFIG_INVALID naming the field */
export function checkDefinition(definition: RecipeDefinition): RecipeDefinition {
  const parsed = v.safeParse(schema, definition);
  if (parsed.success) return definition;
  // What is misspelled comes before what is therefore missing.
  const issue = parsed.issues.find(isUnknownField) ?? parsed.issues[0];
  const field = v.getDotPath(issue) ?? 'recipe';
  if (isUnknownField(issue)) {
    throw invalidField(field, 'is not known: remove it, or see whether it is misspelled');
  }
  const expected = REQUIRED[field] ?? issue.message;
  if (issue.input === undefined) throw invalidField(field, `is missing; ${expected}`);
  throw invalidField(field, `is ${shown(issue.input)}; ${issue.message}`);
}

function isUnknownField(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === 'strict_object' && issue.expected === 'never';
}
