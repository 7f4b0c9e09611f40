/** What the demo shows: a bar for the initial training, then a table that is drawn again and again. */
import type { AgentStatus } from '@freshet/edge-agent/control/agent-control';
import { formatBytes, formatTable, shortRoot } from '@freshet/protocol/local/format';
import type { TrainerStatus } from '@freshet/trainer/service/status';
import { SingleBar } from 'cli-progress';
import { logUpdateStderr } from 'log-update';

/** Where output is not a terminal, one line so often. */
const PLAIN_INTERVAL_MS = 5000;

export interface AgentRow {
  readonly name: string;
  readonly url: string;
  readonly status: AgentStatus;
  /** On the held-out digits shown; null before the first measurement. */
  readonly accuracy: number | null;
}

export interface View {
  readonly trainer: TrainerStatus;
  readonly agents: readonly AgentRow[];
  /** Held-out digits that accuracy was measured on. */
  readonly digitCount: number;
}

export interface Screen {
  show(view: View): void;
  /** Leaves the last picture standing. */
  end(): void;
}

export function createScreen(): Screen {
  return process.stderr.isTTY ? new TerminalScreen() : new PlainScreen();
}

class TerminalScreen implements Screen {
  #bar: SingleBar | null = null;

  show(view: View): void {
    const { progress } = view.trainer.learner;
    if (progress?.phase === 'initial') {
      if (this.#bar === null) {
        logUpdateStderr.clear();
        this.#bar = startBar(progress.planned ?? 0);
      }
      this.#bar.update(progress.done, { loss: progress.loss.toFixed(3) });
      return;
    }
    this.#finishBar();
    logUpdateStderr(`${describeTrainer(view.trainer)}\n\n${describeAgents(view)}\n`);
  }

  end(): void {
    this.#bar?.stop();
    this.#bar = null;
    logUpdateStderr.done();
  }

  /** The last step of the initial training may have gone by between two looks. */
  #finishBar(): void {
    this.#bar?.update(this.#bar.getTotal());
    this.#bar?.stop();
    this.#bar = null;
  }
}

class PlainScreen implements Screen {
  #dueMs = 0;

  show({ trainer, agents }: View): void {
    const nowMs = performance.now();
    if (nowMs < this.#dueMs) return;
    this.#dueMs = nowMs + PLAIN_INTERVAL_MS;
    const served = agents.map(
      ({ name, status }) => `${name} serves ${status.served?.version ?? 'nothing yet'}`,
    );
    process.stderr.write(`${[describeTrainer(trainer), ...served].join('; ')}\n`);
  }

  end(): void {
    // Each line stands already.
  }
}

function startBar(total: number): SingleBar {
  const bar = new SingleBar({
    format: 'initial training {bar} {percentage} % | {value}/{total} steps | loss {loss}',
  });
  bar.start(total, 0, { loss: '–' });
  return bar;
}

function describeTrainer({ head, learner }: TrainerStatus): string {
  const { backend, progress, state } = learner;
  if (progress === null) return `trainer: ${state}, backend ${backend ?? 'being chosen'}`;
  const { done, planned, stepsPerSecond, prequentialAccuracy, windowedAccuracy } = progress;
  const steps = `${progress.phase} step ${done}${planned === null ? '' : ` of ${planned}`}`;
  const parts = [
    `trainer: ${steps}`,
    `${stepsPerSecond.toFixed(1)} steps/s on ${backend}`,
    `version ${head?.version ?? '–'} ${head === null ? '' : shortRoot(head.root)}`,
  ];
  if (progress.phase === 'stream' && prequentialAccuracy !== null && windowedAccuracy !== null) {
    parts.push(`prequential accuracy ${percent(prequentialAccuracy)} (newest ${percent(windowedAccuracy)})`);
  }
  return parts.join(' | ');
}

function describeAgents({ trainer, agents, digitCount }: View): string {
  const heading = [
    'AGENT',
    'ADDRESS',
    'HEAD',
    'SERVED',
    'LAG',
    `ACCURACY/${digitCount}`,
    'RECEIVED',
    'IN FULL',
    'SAVED',
  ];
  const rows = agents.map(({ name, url, status, accuracy }) => {
    const received = status.process?.bytesReceived ?? 0;
    const inFull = (status.process?.versionsReceived ?? 0) * (status.fullModelBytes ?? 0);
    const lag =
      trainer.head === null || status.served === null ? null : trainer.head.version - status.served.version;
    return [
      name,
      url,
      String(status.head?.version ?? '–'),
      `${status.served?.version ?? '–'}${status.pinned === null ? '' : ' pinned'}`,
      String(lag ?? '–'),
      accuracy === null ? '–' : percent(accuracy),
      formatBytes(received),
      formatBytes(inFull),
      received === 0 || inFull === 0 ? '–' : `${(inFull / received).toFixed(1)} ×`,
    ];
  });
  return formatTable([heading, ...rows]);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
