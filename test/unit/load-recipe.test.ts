/** Recipes from files anywhere on the machine: one tfjs for all of them, and each mistake by name. */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { selectBackend } from '@freshet/trainer/learn/backends/select-backend';
import { isRecipeFile } from '@freshet/trainer/learn/load-recipe';
import { recipeOf } from '@freshet/trainer/learn/recipes';
import { mnistLenet5 } from '@freshet/trainer/learn/recipes/mnist-lenet5';
import { TrainStep } from '@freshet/trainer/learn/train-step';
import { batchOf, samplesOf } from '../support/small-recipe.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const ROOT = join(import.meta.dirname, '../..');

before(() => selectBackend('wasm'));

function fileWith(test: TestContext, name: string, text: string): string {
  const path = join(temporaryDirectory(test), name);
  writeFileSync(path, text);
  return path;
}

/** Packages of these names beside a recipe, each of which fails when it is loaded. */
function putDecoys(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const decoy = join(folder, 'node_modules', name);
    mkdirSync(decoy, { recursive: true });
    writeFileSync(join(decoy, 'package.json'), JSON.stringify({ name, main: 'index.js' }));
    writeFileSync(join(decoy, 'index.js'), `throw new Error('another copy of ${name}')`);
  }
}

async function refusal(path: string): Promise<string> {
  try {
    await recipeOf(path);
  } catch (error) {
    assert(error instanceof FreshetError && error.code === 'CONFIG_INVALID', String(error));
    assert(error.message.startsWith(`recipe ${path}: `), error.message);
    return error.message;
  }
  throw new assert.AssertionError({ message: 'it was loaded' });
}

/** The fields of a recipe that is right, as they are written in a file. */
const FIELDS = {
  name: "'line'",
  input: "{ shape: [1], dtype: 'float32' }",
  target: "{ kind: 'vector', elementCount: 1 }",
  loss: "'huber'",
  buildModel:
    "({ tf }) => tf.sequential({ layers: [tf.layers.dense({ name: 'line', inputShape: [1], units: 1 })] })",
};

/** An object with those fields, some of them changed, in one line. */
function written(change: Readonly<Record<string, string>> = {}): string {
  const fields = Object.entries({ ...FIELDS, ...change }).map(([field, value]) => `${field}: ${value}`);
  return `{ ${fields.join(', ')} }`;
}

describe('a reference to a recipe', () => {
  it('is a file where it has a slash or an ending, else a name', () => {
    for (const path of ['./mine', '../mine.ts', '/opt/mine', 'mine.ts', 'mine.mjs', 'a/b'])
      assert(isRecipeFile(path));
    for (const name of ['mnist-lenet5', 'mine', 'mine.v2']) assert(!isRecipeFile(name));
  });

  it('by name gives what comes with Freshet; another name says what there is and how a file is written', async () => {
    assert.equal(await recipeOf('mnist-lenet5'), mnistLenet5);
    assert.throws(() => recipeOf('mine'), {
      code: 'CONFIG_INVALID',
      message: /no recipe "mine"; there are: mnist-lenet5; .*\.\/mine\.ts/,
    });
  });
});

describe('a recipe from a file', () => {
  it('trains with our tfjs, whatever lies in the node_modules beside it', async (test) => {
    const path = fileWith(
      test,
      'mine.ts',
      `import { defineRecipe, type Recipe } from '@freshet/trainer/recipe';
       import { scalar, type Tensor } from '@tensorflow/tfjs-core';
       import * as tfl from '@tensorflow/tfjs-layers';
       const one: Tensor = scalar(1);
       one.dispose();
       export const recipe: Recipe = defineRecipe(${written({ buildModel: FIELDS.buildModel.replace('{ tf }', '').replaceAll('tf.', 'tfl.') })});`,
    );
    putDecoys(dirname(path), ['@tensorflow/tfjs-core', '@tensorflow/tfjs-layers', '@freshet/trainer']);
    const trainee = new TrainStep(await recipeOf(path), { seed: 1 });
    const { loss } = await trainee.step(Float32Array.of(1, 2), Float32Array.of(1, 2), 1);
    assert(Number.isFinite(loss));
    trainee.dispose();
  });

  it('of which the rest of node_modules is its own', async (test) => {
    const path = fileWith(test, 'mine.ts', `import 'their-own';\nexport const recipe = ${written()};`);
    putDecoys(dirname(path), ['their-own']);
    assert.match(await refusal(path), /fails while it is loaded:\nError: another copy of their-own/);
  });

  it('can be plain JavaScript that imports nothing', async (test) => {
    for (const [name, text] of [
      ['mine.js', `export const recipe = ${written()};`],
      ['mine.cjs', `exports.recipe = ${written()};`],
    ] as const) {
      const recipe = await recipeOf(fileWith(test, name, text));
      assert.deepEqual([recipe.name, recipe.metric.name], ['line', 'mean-absolute-error']);
    }
  });

  it('is the template in examples/, which learns', async (test) => {
    const path = join(temporaryDirectory(test), 'my-recipe.ts');
    cpSync(join(ROOT, 'examples/my-recipe.ts'), path);
    const recipe = await recipeOf(path);
    const { train } = samplesOf(recipe);
    const trainee = new TrainStep(recipe, { seed: 1, learningRate: 0.01 });
    const before = await trainee.evaluate(train, 2000, 2200);
    for (let step = 0; step < 60; step++) {
      const { inputs, targets } = batchOf(recipe, train, (step % 15) * 128, 128);
      await trainee.step(inputs, targets, 0);
    }
    const after = await trainee.evaluate(train, 2000, 2200);
    assert.ok(after < before / 3, `${before} → ${after}`);
    trainee.dispose();
  });

  it('that is not there is named with its full path', async () => {
    assert.match(await refusal('./not-here.ts'), /there is no file \/.*not-here\.ts$/);
    assert.match(await refusal(import.meta.dirname), /there is no file/);
  });

  const FAILURES: readonly [string, string, RegExp][] = [
    [
      'exports nothing',
      'const recipe = 1;',
      /it exports no "recipe"; write: export const recipe = defineRec/,
    ],
    ['exports something else', 'export const recipe = 5;', /its "recipe" is 5; write: export const/],
    [
      'throws',
      "\n\nthrow new RangeError('no sensor');",
      /fails while it is loaded:\nRangeError: no sensor\n +at .*mine\.ts:3:7/,
    ],
    [
      'is no TypeScript',
      'export const recipe = {;',
      /fails while it is loaded:\nSyntaxError: .+\n +at .*mine\.ts:1$/,
    ],
    ['needs more than its types stripped', 'enum A { B }\nexport const recipe = A;', /enum is not supported/],
    ['imports what is not there', "import 'nowhere';", /Cannot find package 'nowhere'/],
    [
      'has a wrong field',
      `import { defineRecipe } from '@freshet/trainer/recipe';
       export const recipe = defineRecipe(${written({ loss: "'hinge'" })});`,
      /recipe field "loss" is "hinge"; .*huber/,
    ],
    [
      'has a wrong field in plain JavaScript',
      `export const recipe = ${written({ name: '7' })};`,
      /"name" is 7/,
    ],
  ];
  for (const [what, text, message] of FAILURES) {
    it(`that ${what} is refused`, async (test) => {
      assert.match(await refusal(fileWith(test, 'mine.ts', text)), message);
    });
  }
});

describe('the types of a recipe, in a project of its own', () => {
  /** What the compiler says of a file in a folder where nothing is installed but Freshet and Node's types. */
  function compile(test: TestContext, text: string): string {
    const path = fileWith(test, 'mine.ts', text);
    const modules = join(dirname(path), 'node_modules');
    mkdirSync(modules);
    for (const name of ['@freshet', '@types'])
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    writeFileSync(join(dirname(path), 'package.json'), '{ "type": "module" }');
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--allowImportingTsExtensions'];
    const settings = ['--module', 'nodenext', '--target', 'es2024', '--types', 'node'];
    try {
      const tsc = join(ROOT, 'node_modules/.bin/tsc');
      execFileSync(process.execPath, [tsc, ...options, ...settings, 'mine.ts'], { cwd: dirname(path) });
      return '';
    } catch (error) {
      assert(error instanceof Error && 'stdout' in error);
      return String(error.stdout);
    }
  }

  const head = "import { defineRecipe, type Recipe } from '@freshet/trainer/recipe';\n";

  it('are right for a recipe that is', (test) => {
    const recipe = written({
      loss: '(targets, outputs, tf) => tf.mean(tf.abs(tf.sub(outputs, targets)))',
      metric: "{ name: 'bias', better: 'lower', measure: (output, target) => output[0]! - target[0]! }",
      preprocess: '(stored, floats) => floats.set(stored)',
      openSource: '() => ({ train: { count: 9, sample: (i) => ({ input: [i], target: [i] }) } })',
    });
    assert.equal(compile(test, `${head}export const recipe: Recipe = defineRecipe(${recipe});`), '');
  });

  it('show a mistake where it is', (test) => {
    const mistakes: Record<string, string>[] = [
      { loss: "'hinge'" },
      { loss: "'softmax-cross-entropy'" },
      { loss: '() => 0.5', metric: "'hamming'" },
      { loss: '(targets, outputs, tf) => tf.losses.meanSquaredError(targets, outputs).asScalar()' },
      { input: "{ shape: '28', dtype: 'float32' }" },
      { input: "{ shape: [1], dtype: 'int8' }" },
      { target: "{ kind: 'vector', classCount: 1 }" },
      { metric: "'accuracy'" },
      { preproces: '() => 0' },
      { buildModel: '({ tf }) => tf.layers.dense({ units: 1 })' },
      { openSource: '() => ({ train: { count: 9, sample: (i) => ({ input: [i], label: i }) } })' },
    ];
    const said = compile(test, head + mistakes.map((each) => `defineRecipe(${written(each)});`).join('\n'));
    const lines = new Set([...said.matchAll(/mine\.ts\((\d+),/g)].map(([, line]) => Number(line)));
    const expected = mistakes.map((_, i) => i + 2);
    assert.deepEqual(
      [...lines].sort((a, b) => a - b),
      expected,
      said,
    );
  });
});
