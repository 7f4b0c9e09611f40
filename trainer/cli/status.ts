/** `freshet status` */
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { countOf, describePosition, formatBytes, formatTable } from '@freshet/protocol/local/format';
import type { Command } from 'commander';
import type { AgentStatus } from '../hub/agent-status.ts';
import type { TrainerStatus } from '../service/status.ts';
import { API, trainerClient, trainerCommand } from './trainer-client.ts';

export function statusCommand(): Command {
  return trainerCommand('status', 'Show how training goes and what each agent holds and serves.')
    .addHelpText(
      'after',
      '\nExamples:\n  freshet status\n  freshet status --json | jq .agents[].served.version',
    )
    .action(async (options: CommonOptions) => {
      const status = (await trainerClient(options).call('GET', `${API}/status`)) as TrainerStatus;
      print(options, status, () => describeStatus(status));
    });
}

function describeStatus(status: TrainerStatus): string {
  const { modelId, head, publisherKey, learner, feedback, agents } = status;
  const rows: [string, string][] = [
    ['model', modelId ?? 'none yet'],
    ['head', describePosition(head)],
    ['learner', `${learner.state}, backend ${learner.backend ?? 'not chosen yet'}`],
  ];
  const { progress, failure, test } = learner;
  if (progress !== null) {
    const planned = progress.planned === null ? '' : ` of ${progress.planned}`;
    rows.push([
      'step',
      `${progress.done}${planned} (${progress.phase}), ${progress.stepsPerSecond.toFixed(1)} steps/s`,
    ]);
    if (progress.phase === 'stream') {
      const { name, cumulative, windowed } = progress.metric;
      rows.push([name, `prequential ${describeMeasure(cumulative)}, newest ${describeMeasure(windowed)}`]);
    }
  }
  if (test !== null) rows.push(['test', `${test.name} ${describeMeasure(test.value)}`]);
  if (failure !== null) rows.push(['failure', failure.message]);
  rows.push(['publisher', publisherKey === null ? 'does not sign' : `signs with key ${publisherKey}`]);
  rows.push(['feedback', describeFeedback(feedback)]);
  const nameWidth = Math.max(...rows.map(([name]) => name.length)) + 1;
  const lines = rows.map(([name, value]) => `${name.padEnd(nameWidth)}${value}`);
  return [...lines, '', describeAgents(agents)].join('\n');
}

function describeFeedback({ taken, duplicates, refused }: TrainerStatus['feedback']): string {
  if (taken + duplicates + refused === 0) return 'no samples of devices since the start';
  return `${countOf(taken, 'sample')} of devices taken since the start, ${refused} refused`;
}

/** A dash before the first sample. */
function describeMeasure(value: number | null): string {
  return value?.toFixed(4) ?? '–';
}

function describeAgents(agents: readonly AgentStatus[]): string {
  if (agents.length === 0) return 'no agent has connected yet';
  const heading = ['AGENT', 'CONNECTED', 'HEAD', 'SERVED', 'PROVEN', 'LAG', 'RECEIVED', 'IN FULL'];
  const rows = agents.map((agent) => [
    agent.agentId,
    agent.connected ? 'yes' : 'no',
    String(agent.head?.version ?? '–'),
    `${agent.served?.version ?? '–'}${agent.pinned ? ' pinned' : ''}`,
    describeProof(agent.rootMatches),
    String(agent.lagVersions ?? '–'),
    formatBytes(agent.bytesReceived),
    formatBytes(agent.fullModelEquivalentBytes),
  ]);
  return formatTable([heading, ...rows]);
}

/** Whether the root that the agent reports is the one of that version in the log. */
function describeProof(rootMatches: boolean | null): string {
  if (rootMatches === null) return '–';
  return rootMatches ? 'yes' : 'NO';
}
