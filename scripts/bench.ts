/** `npm run bench -- NAME`: what Freshet costs and saves, measured on this machine. */
import { runProgram } from '@freshet/protocol/local/command';
import { benchCommand } from './bench/command.ts';

await runProgram(benchCommand(), process.argv, '-- --help');
