/** `npm run vectors`: writes the conformance vectors in test/vectors. */
import { runProgram } from '@freshet/protocol/local/command';
import { vectorsCommand } from './vectors/command.ts';

await runProgram(vectorsCommand(), process.argv, '-- --help');
