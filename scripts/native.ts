/** `npm run native`: TensorFlow as the trainer's backend, from a wheel of pip and a compiler. Never needed. */
import { runProgram } from '@freshet/protocol/local/command';
import { nativeCommand } from './native/command.ts';

await runProgram(nativeCommand(), process.argv, '-- --help');
