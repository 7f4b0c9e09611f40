/** The command line of `npm run native`. */
import { print } from '@freshet/protocol/local/command';
import { notEmpty } from '@freshet/protocol/local/option-values';
import { NATIVE_FOLDER } from '@freshet/trainer/learn/backends/native-build';
import { Command, InvalidArgumentError, Option } from 'commander';
import { buildNative, type NativeBuild } from './build.ts';

interface NativeOptions {
  readonly cuda?: true;
  readonly tensorflow: string;
  readonly python: string;
  readonly compiler: string;
  readonly json?: boolean;
}

/** One of those that the addon was tried with. */
const TENSORFLOW_VERSION = '2.21.0';

export function nativeCommand(): Command {
  return new Command('npm run native')
    .usage('-- [options]')
    .description(
      `Build the addon of tfjs-node against the TensorFlow of a pip wheel, into ${NATIVE_FOLDER}. The trainer then finds it by itself. Never needed: without it the trainer uses another backend.`,
    )
    .option('--cuda', 'with the CUDA libraries for an NVIDIA GPU (several GB)')
    .addOption(
      new Option('--tensorflow <version>', 'version of the wheel, 2.13 or newer')
        .argParser(versionNumber)
        .default(TENSORFLOW_VERSION),
    )
    .addOption(
      new Option('--python <command>', 'Python that has pip, and that there are wheels for')
        .env('PYTHON')
        .argParser(notEmpty)
        .default('python3'),
    )
    .addOption(
      new Option('--compiler <command>', 'C++17 compiler').env('CXX').argParser(notEmpty).default('g++'),
    )
    .option('--json', 'print one JSON object instead of text')
    .addHelpText(
      'after',
      `
To take it away again, delete that folder. What it does, in order:
  npm: @tensorflow/tfjs-node without its installer, and the headers of Node-API
  pip: tensorflow-cpu, or with --cuda tensorflow[and-cuda], into the folder
  compiler: the two C++ files of tfjs-node, linked to the libraries of the wheel
  then trains a few steps with it

Examples:
  npm run native
  npm run native -- --cuda
  npm run native -- --python python3.12 --compiler clang++`,
    )
    .action(native);
}

async function native({ json, ...options }: NativeOptions): Promise<void> {
  const note = (line: string) => process.stderr.write(`${line}\n`);
  const built = await buildNative({ ...options, cuda: options.cuda === true, folder: NATIVE_FOLDER }, note);
  print({ json: json === true }, built, () => describe(built));
}

function describe({ folder, tensorflow, backend, adapter, stepMs }: NativeBuild): string {
  return [
    `Built TensorFlow ${tensorflow} as backend ${backend} (${adapter}) in ${folder}.`,
    `A step of LeNet-5 takes ${stepMs.toFixed(1)} ms. \`freshet start\` uses it from now on; delete the folder to undo.`,
  ].join('\n');
}

/** @throws InvalidArgumentError */
function versionNumber(text: string): string {
  const [, major, minor] = /^(\d+)\.(\d+)\.\d+(?:rc\d+)?$/.exec(text) ?? [];
  // 2.13 is the first whose wheel has the C library as a file of its own.
  if (major === '2' && Number(minor) >= 13) return text;
  throw new InvalidArgumentError('It must be a version of TensorFlow from 2.13.0 on, such as 2.21.0.');
}
