/**
 * `npm start`: the whole system on this machine. A trainer and some edge agents as separate processes on loopback,
 * with real sockets and a database each, and a table that shows what happens.
 */
import { runProgram } from '@freshet/protocol/local/command';
import { demoCommand } from './demo/command.ts';

await runProgram(demoCommand(), process.argv, '-- --help');
