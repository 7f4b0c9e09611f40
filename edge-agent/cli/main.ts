/**
 * `freshet-agent`: the device's command line.
 */
import { EXIT_CODES_HELP, runProgram } from '@freshet/protocol/local/command';
import { Command } from 'commander';
import { SOFTWARE_NAME, SOFTWARE_VERSION } from '../version.ts';
import { feedbackCommand } from './feedback.ts';
import { inferCommand } from './infer.ts';
import { rollbackCommand } from './rollback.ts';
import { runCommand } from './run.ts';
import { statusCommand } from './status.ts';
import { verifyCommand } from './verify.ts';
import { versionsCommand } from './versions.ts';

/** Runs the command that `argv` (as process.argv) names. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command(SOFTWARE_NAME)
    .description(
      'Serves a continuously trained model on this device, keeps its versions, and takes it back to any of them.',
    )
    .version(SOFTWARE_VERSION)
    .addHelpText('after', EXIT_CODES_HELP);
  const commands = [
    runCommand,
    inferCommand,
    versionsCommand,
    rollbackCommand,
    statusCommand,
    verifyCommand,
    feedbackCommand,
  ];
  for (const command of commands) program.addCommand(command());
  await runProgram(program, argv);
}
