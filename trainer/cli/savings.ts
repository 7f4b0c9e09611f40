/** `freshet savings` */
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { formatBytes, formatTable } from '@freshet/protocol/local/format';
import type { Command } from 'commander';
import type { SavingsAnswer } from '../admin/trainer-status.ts';
import type { Savings } from '../core/savings.ts';
import { API, trainerClient, trainerCommand } from './trainer-client.ts';

export function savingsCommand(): Command {
  return trainerCommand(
    'savings',
    'Show the bytes sent to each agent, against sending the model in full each time.',
  )
    .addHelpText(
      'after',
      '\nExamples:\n  freshet savings\n  freshet savings --json | jq .total.reductionFactor',
    )
    .action(async (options: CommonOptions) => {
      const answer = (await trainerClient(options).call('GET', `${API}/savings`)) as SavingsAnswer;
      print(options, answer, () => describeSavings(answer));
    });
}

function describeSavings({ total, agents }: SavingsAnswer): string {
  const heading = ['AGENT', 'SENT', 'IN FULL', 'SAVED', 'FACTOR'];
  const rows = agents.map((savings) => rowOf(savings.agentId, savings));
  return formatTable([heading, ...rows, rowOf('all', total)]);
}

function rowOf(name: string, savings: Savings): string[] {
  const { bytesSent, fullModelEquivalentBytes, bytesSaved, reductionFactor } = savings;
  const saved = bytesSaved < 0 ? `−${formatBytes(-bytesSaved)}` : formatBytes(bytesSaved);
  return [
    name,
    formatBytes(bytesSent),
    formatBytes(fullModelEquivalentBytes),
    saved,
    reductionFactor === null ? '–' : `${reductionFactor.toFixed(1)} ×`,
  ];
}
