/**
 * The running trainer that a command is about.
 */
import { FreshetError } from '@freshet/protocol/errors';
import { type CommonOptions, withCommonOptions } from '@freshet/protocol/local/command';
import { HttpClient } from '@freshet/protocol/local/http-client';
import { RuntimeFile } from '@freshet/protocol/local/runtime-file';
import { Command } from 'commander';

/** Path of the API that the commands use. */
export const API = '/api/v1';

/** A subcommand with the options that all of this program have. */
export function trainerCommand(name: string, description: string): Command {
  const state = { what: "directory of the trainer's database and checkpoint", fallback: '.freshet/trainer' };
  return withCommonOptions(new Command(name).description(description), state);
}

/** @throws UNREACHABLE when no trainer has been started on the state directory of the options. */
export function trainerClient({ state }: CommonOptions): HttpClient {
  const record = new RuntimeFile(state, 'trainer').read();
  if (record !== null) return new HttpClient(record);
  throw new FreshetError(
    'UNREACHABLE',
    `no trainer runs on ${state}: start one, or name its directory with --state`,
  );
}
