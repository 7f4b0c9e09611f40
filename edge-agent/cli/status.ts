/** `freshet-agent status` */
import { type CommonOptions, print } from '@freshet/protocol/local/command';
import { countOf, describePosition, formatBytes } from '@freshet/protocol/local/format';
import { shortKey } from '@freshet/protocol/signature';
import type { Command } from 'commander';
import type { AgentStatus } from '../control/agent-control.ts';
import { deviceCommand, withDevice } from './device.ts';

export function statusCommand(): Command {
  return deviceCommand('status', 'Show what this device holds, serves and receives.')
    .addHelpText(
      'after',
      '\nExamples:\n  freshet-agent status\n  freshet-agent status --json | jq .served.version',
    )
    .action(async (options: CommonOptions) => {
      const status = await withDevice(options, (device) => device.status());
      print(options, status, () => describeStatus(status));
    });
}

function describePublisher(keys: AgentStatus['publisher']): string {
  if (keys === null) return 'any, no key is pinned';
  const { configured, current } = keys;
  return `only key ${shortKey(current)}${current === configured ? '' : `, rotated from ${shortKey(configured)}`}`;
}

function describeFeedback({ waiting, taken, refused }: AgentStatus['feedback']): string {
  return `${countOf(waiting, 'sample')} to be sent; ${taken} taken, ${refused} refused`;
}

function describeStatus(status: AgentStatus): string {
  const { process } = status;
  const rows: [string, string][] = [
    ['agent', process === null ? 'not running' : `${process.agentId}, pid ${process.pid}, ${process.url}`],
    ['model', status.modelId ?? 'none yet'],
    ['head', describePosition(status.head)],
    ['served', describePosition(status.served) + (status.pinned === null ? '' : ', pinned')],
    ['versions', String(status.versionCount)],
    ['publisher', describePublisher(status.publisher)],
    ['feedback', describeFeedback(status.feedback)],
  ];
  if (process !== null) {
    const { fullModelBytes } = status;
    const full =
      fullModelBytes === null ? '' : `; in full ${formatBytes(process.versionsReceived * fullModelBytes)}`;
    rows.push(
      ['hub', `${process.hubUrl}, ${process.link}${process.refusal === null ? '' : `: ${process.refusal}`}`],
      [
        'received',
        `${countOf(process.versionsReceived, 'version')} in ${formatBytes(process.bytesReceived)}${full}`,
      ],
      ['inferences', String(process.inferenceRequests)],
    );
  }
  return rows.map(([name, value]) => `${name.padEnd(11)}${value}`).join('\n');
}
