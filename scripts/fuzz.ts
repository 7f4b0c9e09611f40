/** `npm run fuzz`: damaged bytes against every decoder, for as long as one likes. */
import { runProgram } from '@freshet/protocol/local/command';
import { fuzzCommand } from './fuzz/command.ts';

await runProgram(fuzzCommand(), process.argv, '-- --help');
