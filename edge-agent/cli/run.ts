/** `freshet-agent run`: its options. What it does is loaded only when it is run: other commands should answer at once. */
import { hostname } from 'node:os';
import { FreshetError } from '@freshet/protocol/errors';
import { type AgentId, isAgentId } from '@freshet/protocol/ids';
import type { CommonOptions } from '@freshet/protocol/local/command';
import { integerIn, notEmpty, port } from '@freshet/protocol/local/option-values';
import { type Command, Option } from 'commander';
import type { PublisherKeySetting } from '../agent/open-store.ts';
import { deviceCommand } from './device.ts';
import { publisherKey } from './publisher-key-option.ts';

export interface RunOptions extends CommonOptions {
  readonly hub: string;
  readonly id: string;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly keepVersions: number;
  readonly feedbackLimit: number;
  readonly feedbackMib: number;
  readonly publisherKey?: Exclude<PublisherKeySetting, null>;
  readonly logLevel: string;
}

/** Whatever fits one request fits an empty queue. */
const FEEDBACK_MIB_MIN = 16;

export function runCommand(): Command {
  return deviceCommand('run', 'Run the agent: follow the hub, serve predictions over HTTP.')
    .addOption(
      new Option('--hub <url>', 'address of the hub').env('FRESHET_HUB').default('ws://127.0.0.1:7400'),
    )
    .addOption(
      new Option('--id <name>', 'name of this device, the same for life')
        .env('FRESHET_AGENT_ID')
        .default(hostname(), 'its host name'),
    )
    .addOption(
      new Option('--http-host <address>', 'address to serve on; 0.0.0.0 for all interfaces')
        .env('FRESHET_HTTP_HOST')
        .argParser(notEmpty)
        .default('127.0.0.1'),
    )
    .addOption(
      new Option('--http-port <port>', 'port to serve on; 0 lets the system choose')
        .env('FRESHET_HTTP_PORT')
        .argParser(port)
        .default(7500),
    )
    .addOption(
      new Option('--keep-versions <count>', 'versions to keep for roll-back')
        .env('FRESHET_KEEP_VERSIONS')
        .argParser(integerIn(1))
        .default(1000),
    )
    .addOption(
      new Option('--feedback-limit <count>', 'labelled samples that may wait to be sent to the hub')
        .env('FRESHET_FEEDBACK_LIMIT')
        .argParser(integerIn(1))
        .default(10_000),
    )
    .addOption(
      new Option('--feedback-mib <count>', 'MiB that they may take on disk')
        .env('FRESHET_FEEDBACK_MIB')
        .argParser(integerIn(FEEDBACK_MIB_MIN))
        .default(256),
    )
    .addOption(
      new Option(
        '--publisher-key <key>',
        'take only what this publisher has signed; remembered until another, or none, is given',
      )
        .env('FRESHET_PUBLISHER_KEY')
        .argParser(publisherKey),
    )
    .addOption(
      new Option('--log-level <level>', 'how much to log, as JSON lines on stderr')
        .env('FRESHET_LOG_LEVEL')
        .choices(['silent', 'error', 'info', 'debug'])
        .default('info'),
    )
    .addHelpText(
      'after',
      `
Examples:
  freshet-agent run --hub ws://trainer.local:7400 --state /var/lib/freshet
  freshet-agent run --publisher-key @publisher.pub    as \`freshet key show\` prints it
  freshet-agent run --http-port 0 --json      print {"url": …} once it serves`,
    )
    .action(async (options: RunOptions) => {
      const agentId = parseAgentId(options.id);
      const { runAgent } = await import('./run-agent.ts');
      await runAgent(agentId, options);
    });
}

/** Not an option parser: the host name, which is the default, may be unfit as well. */
function parseAgentId(text: string): AgentId {
  if (isAgentId(text)) return text;
  throw new FreshetError(
    'CONFIG_INVALID',
    `"${text}" cannot name a device: letters, digits, dots, dashes and underscores, at most 128; set --id`,
  );
}
