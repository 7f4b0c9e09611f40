/**
 * A running agent: the version store, the predictor and the link to the hub, and how they act on each other. What
 * arrives is stored first, then served, then acknowledged. Roll-backs and inference work without the hub.
 */
import { assert } from '@freshet/protocol/assert';
import { FreshetError } from '@freshet/protocol/errors';
import type { AgentId, Position } from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import type { Logger } from 'pino';
import type { AgentStatus, RollbackReport } from '../control/agent-control.ts';
import { statusOfStore } from '../control/store-status.ts';
import { type RollbackTarget, resolveRollback } from '../core/rollback-target.ts';
import type { SessionPorts } from '../core/sync-session.ts';
import type { ModelSignature } from '../core/tensor.ts';
import { HubLink, syncUrlOf } from '../link/hub-link.ts';
import { type AgentMetrics, createAgentMetrics } from '../serve/metrics.ts';
import {
  type InferRequest,
  type InferResult,
  PREDICTOR_DEFAULTS,
  WorkerPredictor,
} from '../serve/predictor.ts';
import { WeightStore } from '../store/weight-store.ts';
import { SOFTWARE_NAME, SOFTWARE_VERSION } from '../version.ts';
import { Serving } from './serving.ts';

export interface AgentOptions {
  readonly agentId: AgentId;
  /** SQLite file; its directory exists. */
  readonly storePath: string;
  readonly hubUrl: string;
  /** Versions to keep on the device. */
  readonly keepVersions: number;
  readonly log: Logger;
}

export class Agent {
  readonly store: WeightStore;
  readonly metrics: AgentMetrics = createAgentMetrics();
  readonly #options: AgentOptions;
  readonly #serving: Serving;
  readonly #link: HubLink;
  #inferenceRequests = 0;
  #versionsReceived = 0;
  #bytesCounted = 0;
  #isAckDue = false;

  /** Opens the store. @throws CONFIG_INVALID, STORE_*; nothing has been changed or started then. */
  constructor(options: AgentOptions) {
    this.#options = options;
    const { storePath, keepVersions, log } = options;
    const syncUrl = syncUrlOf(options.hubUrl);
    this.store = WeightStore.open(storePath, { clock: Date.now, keepVersions });
    this.#serving = new Serving({
      store: this.store,
      log,
      startPredictor: (onFailure) => new WorkerPredictor({ ...PREDICTOR_DEFAULTS, onFailure }),
      onServed: (position, buildMs) => this.#onServed(position, buildMs),
      onQuarantined: (version, error) => this.#link.session?.reportQuarantine(version, error),
    });
    this.#link = new HubLink({
      syncUrl,
      log,
      random: Math.random,
      ports: this.#sessionPorts(),
      inferenceRequests: () => this.#inferenceRequests,
      onStateChange: (state) => this.metrics.connected.set(state === 'live' ? 1 : 0),
    });
  }

  /** Serves what is stored, then begins to follow the hub. Resolves once what is stored answers. */
  async start(): Promise<void> {
    await this.#serving.refresh();
    this.#updateGauges();
    this.#link.open();
  }

  /** Ends the connection, lets the predictor finish, closes the store. */
  async close(): Promise<void> {
    this.#link.close();
    await this.#serving.close();
    this.store.close();
  }

  served(): Position | null {
    return this.#serving.served();
  }

  signature(): ModelSignature | null {
    return this.#serving.signature();
  }

  /** As `Predictor.infer`. */
  infer(request: InferRequest): Promise<InferResult> {
    this.#inferenceRequests++;
    return this.#serving.infer(request);
  }

  status(url: string): AgentStatus {
    const { agentId, hubUrl } = this.#options;
    return {
      ...statusOfStore(this.store),
      served: this.served(),
      process: {
        agentId,
        pid: process.pid,
        url,
        hubUrl,
        link: this.#link.state,
        refusal: this.#link.refusal?.message ?? null,
        uptimeSeconds: process.uptime(),
        bytesReceived: this.#link.bytesReceived,
        versionsReceived: this.#versionsReceived,
        inferenceRequests: this.#inferenceRequests,
      },
    };
  }

  /**
   * Serves another version from now on. Resolves when it answers.
   * @throws VERSION_UNKNOWN, VERSION_QUARANTINED; what was served is served on then.
   */
  async rollback(target: RollbackTarget): Promise<RollbackReport> {
    const startedMs = performance.now();
    const before = this.served();
    const version = resolveRollback(target, this.store.versions(), before?.version ?? null);
    if (version === null) this.store.unpin();
    else this.store.pin(version);
    await this.#serving.refresh();
    const after = this.served();
    if (after === null || (version !== null && after.version !== version)) {
      throw new FreshetError(
        'VERSION_QUARANTINED',
        `version ${version} could not be served and is quarantined now`,
      );
    }
    this.metrics.rollbacks.inc();
    this.#link.session?.acknowledge();
    this.#options.log.info(
      { from: before?.version, to: after.version, pinned: version !== null },
      'rolled back',
    );
    return { before, after, pinned: version !== null, durationMs: performance.now() - startedMs };
  }

  #sessionPorts(): Omit<SessionPorts, 'send' | 'onWelcome'> {
    return {
      store: this.store,
      agentId: this.#options.agentId,
      software: `${SOFTWARE_NAME}/${SOFTWARE_VERSION}`,
      served: () => this.served(),
      onAdvanced: () => this.#onAdvanced(),
      onRefused: (code) => this.metrics.deltaRefused.inc({ code }),
      onCommand: (command) => void this.#onCommand(command),
    };
  }

  #onAdvanced(): void {
    const { metrics } = this;
    const model = this.store.identity?.model;
    assert(model !== undefined, 'weights belong to a model');
    // A squash over many versions counts once: in full it would have been one file as well.
    this.#versionsReceived++;
    metrics.versionsApplied.inc();
    metrics.fullModelEquivalentBytes.inc(model.fileBytes);
    metrics.receivedBytes.inc(this.#link.bytesReceived - this.#bytesCounted);
    this.#bytesCounted = this.#link.bytesReceived;
    this.#updateGauges();
    const served = this.#serving.refresh();
    if (this.#isAckDue) return;
    this.#isAckDue = true;
    void served.then(() => {
      this.#isAckDue = false;
      this.#link.session?.acknowledge();
    });
  }

  #onServed(position: Position, buildMs: number): void {
    this.metrics.patchDuration.observe(buildMs / 1000);
    this.#updateGauges();
    this.#options.log.debug({ version: position.version, buildMs }, 'serving');
  }

  /** An operator's order, at least once: one that was carried out before is only answered again. */
  async #onCommand(command: MessageNamed<DownstreamMessage, 'command'>): Promise<void> {
    const { id } = command;
    let result = { ok: true, outcome: 'was carried out before' };
    if (id > this.store.lastCommandId()) {
      result = await this.#carryOut(command);
      this.store.setLastCommandId(id);
    }
    this.#link.session?.reportCommand(id, result);
  }

  async #carryOut({ action, version }: MessageNamed<DownstreamMessage, 'command'>): Promise<CommandResult> {
    if (action === 'pin' && version === null) return { ok: false, outcome: 'a pin command names a version' };
    const target: RollbackTarget = version === null ? { kind: 'head' } : { kind: 'version', version };
    try {
      const { after } = await this.rollback(target);
      return { ok: true, outcome: `serving version ${after.version}` };
    } catch (error) {
      if (!(error instanceof FreshetError) || error.action === 'crash') throw error;
      return { ok: false, outcome: error.message };
    }
  }

  #updateGauges(): void {
    this.metrics.headVersion.set(this.store.head()?.version ?? 0);
    this.metrics.servedVersion.set(this.served()?.version ?? 0);
  }
}

interface CommandResult {
  readonly ok: boolean;
  readonly outcome: string;
}
