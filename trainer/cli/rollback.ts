/** `freshet rollback` */
import { setTimeout as delay } from 'node:timers/promises';
import { EXIT, FreshetError } from '@freshet/protocol/errors';
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { formatTable } from '@freshet/protocol/local/format';
import type { HttpClient } from '@freshet/protocol/local/http-client';
import { integerIn } from '@freshet/protocol/local/option-values';
import type { Command as Program } from 'commander';
import type { RollbackAnswer } from '../admin/trainer-status.ts';
import type { Command } from '../history/version-log-commands.ts';
import { API, trainerClient, trainerCommand } from './trainer-client.ts';

interface RollbackOptions extends CommonOptions {
  readonly agent?: readonly string[];
  readonly waitSeconds: number;
}

const WAIT_SECONDS_DEFAULT = 10;
const WAIT_SECONDS_MAX = 24 * 60 * 60;
const POLL_INTERVAL_MS = 100;

export function rollbackCommand(): Program {
  return trainerCommand(
    'rollback',
    'Make agents serve an earlier version and stay on it, or follow the head again.',
  )
    .argument('<version>', 'a version number; or "head" to follow the newest version again')
    .option('--agent <id...>', 'only these agents (default: all that have ever connected)')
    .option(
      '--wait-seconds <count>',
      'how long to wait for their answers; the order stands beyond that',
      integerIn(0, WAIT_SECONDS_MAX),
      WAIT_SECONDS_DEFAULT,
    )
    .addHelpText(
      'after',
      `
Agents that are away get the order when they connect. Exits with 1 when an agent refuses.

Examples:
  freshet rollback 1234
  freshet rollback 1234 --agent kitchen --agent garage
  freshet rollback head`,
    )
    .action(rollback);
}

async function rollback(version: string, options: RollbackOptions): Promise<void> {
  const request = {
    version: parseVersion(version),
    ...(options.agent !== undefined && { agents: options.agent }),
  };
  const client = trainerClient(options);
  const { commands } = (await client.call('POST', `${API}/rollback`, request)) as RollbackAnswer;
  const ended = await awaitAnswers(client, commands, options.waitSeconds);
  print(options, { commands: ended }, () => describeCommands(ended));
  if (ended.some(({ answer }) => answer?.ok === false)) process.exitCode = EXIT.failed;
}

function parseVersion(text: string): number | 'head' {
  if (text === 'head') return text;
  if (/^[1-9]\d{0,15}$/.test(text)) return Number(text);
  throw new FreshetError('CONFIG_INVALID', `"${text}" is neither a version number nor "head"`);
}

/** The commands with their answers, as far as these come within `waitSeconds`. */
async function awaitAnswers(
  client: HttpClient,
  commands: readonly Command[],
  waitSeconds: number,
): Promise<readonly Command[]> {
  const deadlineMs = performance.now() + 1000 * waitSeconds;
  while (true) {
    const current = await Promise.all(
      commands.map(async ({ id }) => (await client.call('GET', `${API}/commands/${id}`)) as Command),
    );
    if (current.every(({ answer }) => answer !== null) || performance.now() >= deadlineMs) return current;
    await delay(POLL_INTERVAL_MS);
  }
}

function describeCommands(commands: readonly Command[]): string {
  if (commands.length === 0) return 'no agent has ever connected: nothing to do';
  const rows = commands.map(({ id, agentId, answer }) => [
    String(id),
    agentId,
    answer === null ? 'has not answered; the order stands until it does' : answer.outcome,
  ]);
  return formatTable([['ORDER', 'AGENT', 'ANSWER'], ...rows]);
}
