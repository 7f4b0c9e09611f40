/** `npm run experiment -- NAME`: how well models learn from streams. */
import { runProgram } from '@freshet/protocol/local/command';
import { experimentCommand } from './experiment/command.ts';

await runProgram(experimentCommand(), process.argv, '-- --help');
