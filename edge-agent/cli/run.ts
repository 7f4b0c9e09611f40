/** `freshet-agent run`: the agent in the foreground, until SIGINT or SIGTERM. */
import { hostname } from 'node:os';
import { FreshetError } from '@freshet/protocol/errors';
import { asAgentId, isAgentId } from '@freshet/protocol/ids';
import { type CommonOptions, integerAtLeast, port } from '@freshet/protocol/local/command';
import { untilAskedToEnd } from '@freshet/protocol/local/shutdown';
import { type Command, Option } from 'commander';
import { pino } from 'pino';
import { startAgentService } from '../agent/agent-service.ts';
import { deviceCommand } from './device.ts';

interface RunOptions extends CommonOptions {
  readonly hub: string;
  readonly id?: string;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly keepVersions: number;
  readonly logLevel: string;
}

export function runCommand(): Command {
  return deviceCommand('run', 'Run the agent: follow the hub, serve predictions over HTTP.')
    .addOption(
      new Option('--hub <url>', 'address of the hub').env('FRESHET_HUB').default('ws://127.0.0.1:7400'),
    )
    .addOption(
      new Option('--id <name>', 'name of this device, the same for life (default: its host name)').env(
        'FRESHET_AGENT_ID',
      ),
    )
    .addOption(
      new Option('--http-host <address>', 'address to serve on; 0.0.0.0 for all interfaces')
        .env('FRESHET_HTTP_HOST')
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
        .argParser(integerAtLeast(1))
        .default(1000),
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
  freshet-agent run --http-port 0 --json      print {"url": …} once it serves`,
    )
    .action(run);
}

async function run(options: RunOptions): Promise<void> {
  const agentId = options.id ?? hostname();
  if (!isAgentId(agentId)) {
    throw new FreshetError(
      'CONFIG_INVALID',
      `"${agentId}" cannot name a device: letters, digits, dots, dashes and underscores, at most 128; set --id`,
    );
  }
  const log = pino(
    { level: options.logLevel, base: { agent: agentId } },
    pino.destination({ dest: 2, sync: true }),
  );
  const service = await startAgentService({
    agentId: asAgentId(agentId),
    stateDirectory: options.state,
    hubUrl: options.hub,
    httpHost: options.httpHost,
    httpPort: options.httpPort,
    keepVersions: options.keepVersions,
    log,
  });
  log.info({ url: service.url, state: options.state }, 'serving');
  if (options.json) process.stdout.write(`${JSON.stringify({ url: service.url, pid: process.pid })}\n`);
  await untilAskedToEnd();
  await service.close();
}
