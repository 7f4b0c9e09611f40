/** Whether what a person wrote into a recipe has the right form. What needs tfjs is checked when the model is built. */
import { NAME_BYTES_MAX, TENSOR_RANK_MAX } from '@freshet/protocol/limits';
import * as v from 'valibot';
import type { RecipeDefinition } from './recipe.ts';
import { invalidField, shown } from './recipe-error.ts';

/** Elements of one input or target: what a batch of thousands still fits into memory with. */
const ELEMENT_COUNT_MAX = 2 ** 24;

const fn = v.function('it has to be a function');

const size = (what: string, min: number) => {
  const message = `it has to be ${what}, an integer from ${min} to ${ELEMENT_COUNT_MAX}`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(ELEMENT_COUNT_MAX, message),
  );
};

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

const target = v.variant(
  'kind',
  [
    v.strictObject({ kind: v.literal('class'), classCount: size('the number of classes', 2) }),
    v.strictObject({ kind: v.literal('vector'), elementCount: size('the number of elements', 1) }),
  ],
  "it has to be { kind: 'class', classCount } or { kind: 'vector', elementCount }",
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

const schema = v.strictObject(
  {
    name: v.pipe(v.string(NAME), v.regex(/^[\w.-]+$/, NAME), v.maxLength(NAME_BYTES_MAX, NAME)),
    input: v.strictObject(
      { shape, dtype: v.picklist(['uint8', 'float32'], "it has to be 'uint8' or 'float32'") },
      'it has to be { shape, dtype }',
    ),
    target,
    preprocess: v.optional(fn),
    buildModel: fn,
    loss: v.union([v.string(), fn], "it has to be a loss's name, such as 'huber', or a function"),
    metric: v.optional(metric),
    openSource: v.optional(fn),
  },
  'it has to be { name, input, target, loss, buildModel, … }',
);

/** `definition`, whatever its author's compiler let through. @throws CONFIG_INVALID naming the field */
export function checkDefinition(definition: RecipeDefinition): RecipeDefinition {
  const parsed = v.safeParse(schema, definition);
  if (parsed.success) return definition;
  const [issue] = parsed.issues;
  const field = v.getDotPath(issue) ?? 'recipe';
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    throw invalidField(field, 'is not known: remove it, or see whether it is misspelled');
  }
  if (issue.input === undefined) throw invalidField(field, `is missing; ${expectation(issue.message)}`);
  throw invalidField(field, `is ${shown(issue.input)}; ${expectation(issue.message)}`);
}

/** Valibot's own sentence for a key that is missing says no more than that. */
function expectation(message: string): string {
  return message.startsWith('Invalid key') ? 'it has to be given' : message;
}
