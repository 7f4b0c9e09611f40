/**
 * The learner process: trains in its own process because tfjs's backends block the thread that they run on. It is
 * started by the trainer with an IPC channel and lives no longer than that channel.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import { IpcChannel } from './ipc-channel.ts';
import { runLearner } from './learner.ts';
import type { LearnerConfig } from './messages.ts';

const [, , configJson] = process.argv;
assert(configJson !== undefined && process.send !== undefined, 'the learner is started by the trainer');

// These reach the whole process group; the trainer says `stop` when it is time, so that a checkpoint is written.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
// The trainer has died: nobody would hear of what is learned from here on.
process.on('disconnect', () => process.exit(0));

const channel = new IpcChannel();
try {
  await runLearner(JSON.parse(configJson) as LearnerConfig, channel);
  process.disconnect();
} catch (error) {
  if (!(error instanceof FreshetError)) throw error;
  await channel.send({ type: 'failed', code: error.code, message: error.message });
  process.exit(error.exitCode);
}
