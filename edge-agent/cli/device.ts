/**
 * The device that a command is about: the running agent of a state directory, or else its database.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FreshetError } from '@freshet/protocol/errors';
import { type CommonOptions, withCommonOptions } from '@freshet/protocol/local/command';
import { RuntimeFile } from '@freshet/protocol/local/runtime-file';
import { Command } from 'commander';
import type { AgentControl } from '../control/agent-control.ts';
import { RunningAgent } from '../control/running-agent.ts';

/** A subcommand with the options that all of this program have. */
export function deviceCommand(name: string, description: string): Command {
  const state = { what: "directory of this device's database", fallback: '.freshet/agent' };
  return withCommonOptions(new Command(name).description(description), state);
}

export function storePath(stateDirectory: string): string {
  return join(stateDirectory, 'weights.db');
}

/**
 * Does `action` with the device of `options`.
 * @throws CONFIG_INVALID when no agent has ever run there; STORE_LOCKED when one runs that does not answer.
 */
export async function withDevice<Result>(
  { state }: CommonOptions,
  action: (device: AgentControl) => Promise<Result>,
): Promise<Result> {
  const device = await openDevice(state);
  try {
    return await action(device);
  } finally {
    await device.close();
  }
}

async function openDevice(stateDirectory: string): Promise<AgentControl> {
  const record = new RuntimeFile(stateDirectory, 'agent').read();
  if (record !== null) {
    const running = new RunningAgent(record);
    if (await running.isUp()) return running;
  }
  const path = storePath(stateDirectory);
  if (existsSync(path)) {
    // Brings the database and ONNX Runtime, which a running agent has loaded already.
    const { StoredAgent } = await import('../control/stored-agent.ts');
    return new StoredAgent(path);
  }
  throw new FreshetError(
    'CONFIG_INVALID',
    `no agent has run on ${stateDirectory}: start one, or name its directory with --state`,
  );
}
