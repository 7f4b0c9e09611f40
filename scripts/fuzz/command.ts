/** The command line of the fuzzers. */
import { EXIT } from '@freshet/protocol/errors';
import { integerIn } from '@freshet/protocol/local/option-values';
import { Command, Option } from 'commander';
import { fuzzFrame, prepare } from '../../test/support/fuzz/fuzz-frame.ts';
import { fuzzRun } from '../../test/support/fuzz/fuzz-run.ts';
import {
  FUZZ_TARGET_NAMES,
  FUZZ_TARGETS,
  type FuzzTargetName,
} from '../../test/support/fuzz/fuzz-targets.ts';
import { describeFault, describeOutcome, describeReport } from '../../test/support/fuzz/fuzz-text.ts';
import { createProgress } from './progress.ts';

interface FuzzOptions {
  readonly frames: number;
  readonly seed?: number;
  readonly decoder?: FuzzTargetName;
  readonly frame?: number;
}

const SEED_MAX = 2 ** 31 - 1;

export function fuzzCommand(): Command {
  const list = FUZZ_TARGET_NAMES.map((name) => `  ${name.padEnd(16)}${FUZZ_TARGETS[name].what}`);
  return new Command('npm run fuzz')
    .usage('-- [options]')
    .description(
      'Damages valid input of every decoder of bytes from a peer, and decodes it: whatever comes, a decoder raises ' +
        'declared errors only, takes memory in proportion, and works afterwards.',
    )
    .addOption(
      new Option('--frames <count>', 'inputs for each decoder').argParser(integerIn(1)).default(100_000),
    )
    .addOption(
      new Option('--seed <n>', 'of corpus and damage (default: drawn anew)').argParser(
        integerIn(0, SEED_MAX),
      ),
    )
    .addOption(new Option('--decoder <name>', 'only this one').choices(FUZZ_TARGET_NAMES))
    .addOption(
      new Option(
        '--frame <number>',
        'only this input of --decoder and --seed, and what came of it',
      ).argParser(integerIn(0)),
    )
    .addHelpText(
      'after',
      `
Decoders:
${list.join('\n')}

Exits with 1 at the first failure, and prints the command that brings it back.

Examples:
  npm run fuzz
  npm run fuzz -- --frames 1000000
  npm run fuzz -- --decoder delta --seed 7
  npm run fuzz -- --decoder delta --seed 7 --frame 1234`,
    )
    .action((options: FuzzOptions, command: Command) => {
      if (options.frame === undefined) return fuzzAll(options);
      const { seed, decoder, frame } = options;
      if (seed === undefined || decoder === undefined) {
        command.error('error: an input has a number for one decoder and seed only: add --decoder and --seed');
      }
      return fuzzOne(decoder, seed, frame);
    });
}

/** All inputs of all decoders, or of one. */
async function fuzzAll({
  frames,
  seed = Math.floor(Math.random() * SEED_MAX),
  decoder,
}: FuzzOptions): Promise<void> {
  process.stdout.write(`seed ${seed}, ${frames} inputs for each decoder\n`);
  for (const name of decoder === undefined ? FUZZ_TARGET_NAMES : [decoder]) {
    const target = prepare(FUZZ_TARGETS[name].make(seed));
    const progress = createProgress(name, frames);
    const start = performance.now();
    const report = await fuzzRun(target, seed, { frames, goOn: progress.show });
    progress.end();
    process.stdout.write(`${describeReport(name, report, performance.now() - start)}\n`);
    const fault = describeFault(name, seed, report);
    if (fault === null) continue;
    process.stdout.write(`${fault}\n`);
    process.exitCode = EXIT.failed;
    return;
  }
}

/** One input, as it was in a longer run. */
function fuzzOne(name: FuzzTargetName, seed: number, frame: number): void {
  const outcome = fuzzFrame(prepare(FUZZ_TARGETS[name].make(seed)), seed, frame);
  process.stdout.write(`${describeOutcome(name, frame, outcome)}\n`);
  if (outcome.kind === 'failed') process.exitCode = EXIT.failed;
}
