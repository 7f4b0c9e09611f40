/**
 * `freshet`: the central command line.
 */
import { EXIT_CODES_HELP, runProgram } from '@freshet/protocol/local/command';
import { Command } from 'commander';
import { SOFTWARE_NAME, SOFTWARE_VERSION } from '../version.ts';
import { keyCommand } from './key.ts';
import { rollbackCommand } from './rollback.ts';
import { samplesCommand } from './samples.ts';
import { savingsCommand } from './savings.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { versionsCommand } from './versions.ts';

/** Runs the command that `argv` (as process.argv) names. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command(SOFTWARE_NAME)
    .description('Trains a model without pause and keeps the agents that serve it fresh.')
    .version(SOFTWARE_VERSION)
    .addHelpText('after', EXIT_CODES_HELP);
  const commands = [
    startCommand,
    statusCommand,
    versionsCommand,
    rollbackCommand,
    savingsCommand,
    samplesCommand,
    keyCommand,
  ];
  for (const command of commands) program.addCommand(command());
  await runProgram(program, argv);
}
