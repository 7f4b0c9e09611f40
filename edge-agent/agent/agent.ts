/**
 * A running agent: the version store, the predictor and the link to the hub, and how they act on each other. What
 * arrives is stored first, then served, then acknowledged. Roll-backs and inference work without the hub.
 */
import { assert } from '@freshet/protocol/assert';
import type { SparseDelta } from '@freshet/protocol/delta';
import { FreshetError } from '@freshet/protocol/errors';
import type { AgentId, Position } from '@freshet/protocol/ids';
import { formatTraceparent } from '@freshet/protocol/local/format';
import { HashThread } from '@freshet/protocol/local/hash-thread';
import type { BodyType } from '@freshet/protocol/local/samples-request';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { shortKey } from '@freshet/protocol/signature';
import type { Logger } from 'pino';
import type { AgentStatus, RollbackReport } from '../control/agent-control.ts';
import { statusOfStore } from '../control/store-status.ts';
import type { FeedbackAnswer } from '../core/feedback-exchange.ts';
import type { PublisherPin } from '../core/publisher-trust.ts';
import { type RollbackTarget, resolveRollback, targetOfOrder } from '../core/rollback-target.ts';
import type { Arrival, SessionPorts } from '../core/session-ports.ts';
import type { ModelSignature } from '../core/tensor.ts';
import { FeedbackCourier } from '../feedback/feedback-courier.ts';
import { type TakeOutcome, takeSamples } from '../feedback/take-samples.ts';
import { HubLink } from '../link/hub-link.ts';
import { type AgentMetrics, createAgentMetrics } from '../serve/metrics.ts';
import {
  type InferRequest,
  type InferResult,
  PREDICTOR_DEFAULTS,
  WorkerPredictor,
} from '../serve/predictor.ts';
import type { FeedbackLimits } from '../store/feedback-state.ts';
import type { WeightStore } from '../store/weight-store.ts';
import { SOFTWARE_NAME, SOFTWARE_VERSION } from '../version.ts';
import { openStore, type PublisherKeySetting } from './open-store.ts';
import { Serving } from './serving.ts';

export interface AgentOptions {
  readonly agentId: AgentId;
  /** SQLite file; its directory exists. */
  readonly storePath: string;
  readonly hubUrl: string;
  /** From `syncUrlOf(hubUrl)`. */
  readonly syncUrl: string;
  /** Versions to keep on the device. */
  readonly keepVersions: number;
  /** Absent: as the store says. */
  readonly publisherKey?: PublisherKeySetting;
  /** Bounds on the samples that wait to be sent to the hub; absent: as the store says. */
  readonly feedbackLimits?: FeedbackLimits;
  readonly log: Logger;
}

export class Agent {
  readonly store: WeightStore;
  readonly metrics: AgentMetrics = createAgentMetrics();
  readonly #options: AgentOptions;
  readonly #serving: Serving;
  readonly #link: HubLink;
  readonly #courier: FeedbackCourier;
  #inferenceRequests = 0;
  #versionsReceived = 0;
  #bytesCounted = 0;
  #isAckDue = false;
  /** Roll-backs, from the device and from the centre, one after the other. */
  #rollbacks: Promise<unknown> = Promise.resolve();
  /** The centre's orders, one after the other: one that comes again after a reconnect finds the first one done. */
  #commands: Promise<void> = Promise.resolve();
  #commandsWaiting = 0;

  /** Opens the store. @throws CONFIG_INVALID, STORE_*; nothing has been changed or started then. */
  constructor(options: AgentOptions) {
    this.#options = options;
    const { storePath, keepVersions, publisherKey = null, syncUrl, log } = options;
    const hashHelper = new HashThread((cause) =>
      log.warn({ err: cause }, 'the second thread for hashing is lost: hashing goes on with one'),
    );
    const storeOptions = { clock: Date.now, keepVersions, hashHelper };
    this.store = openStore(storePath, storeOptions, publisherKey, log);
    if (options.feedbackLimits !== undefined) this.store.feedback.setLimits(options.feedbackLimits);
    this.#serving = new Serving({
      store: this.store,
      log,
      startPredictor: (onFailure) => new WorkerPredictor({ ...PREDICTOR_DEFAULTS, onFailure }),
      onServed: (position, buildMs) => this.#onServed(position, buildMs),
      onQuarantined: (version, error) => this.#link.session?.reportQuarantine(version, error),
    });
    this.#courier = new FeedbackCourier({
      queue: this.store.feedback,
      session: () => this.#link.session,
      random: Math.random,
      log,
      onAnswered: (answer) => this.#onSamplesAnswered(answer),
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
    this.#updateFeedbackGauges();
    this.#link.open();
  }

  /** Ends the connection, lets the predictor finish, closes the store. */
  async close(): Promise<void> {
    await this.#link.close();
    this.#courier.close();
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

  /** As `takeSamples`: into the queue, and from there to the hub as soon as it takes them. */
  takeSamples(body: Uint8Array, type: BodyType): TakeOutcome {
    const outcome = takeSamples(this.store.feedback, body, type);
    if (outcome.kind === 'taken') {
      this.metrics.feedbackQueued.inc(outcome.answer.taken);
      this.#updateFeedbackGauges();
      this.#courier.wake();
    }
    return outcome;
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
   * Serves another version from now on, once the roll-backs before have ended. Resolves when it answers.
   * @throws VERSION_UNKNOWN, VERSION_QUARANTINED, STORE_CORRUPT; what was served is served on then, pinned as it was.
   */
  rollback(target: RollbackTarget): Promise<RollbackReport> {
    const result = this.#rollbacks.then(() => this.#rollback(target));
    // Whoever asked for it hears of its failure; the next one is not concerned.
    this.#rollbacks = result.catch(() => undefined);
    return result;
  }

  async #rollback(target: RollbackTarget): Promise<RollbackReport> {
    const startedMs = performance.now();
    const before = this.served();
    const version = resolveRollback(target, this.store.versions(), before?.version ?? null);
    if (version === null) {
      this.store.unpin();
      await this.#serving.refresh();
    } else {
      await this.#serving.switchTo(this.store.position(version), () => this.store.pin(version));
    }
    const after = this.served();
    if (after === null) {
      throw new FreshetError('VERSION_UNKNOWN', 'no version is stored yet: there is nothing to serve');
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
      publisher: this.#publisherPin(),
      agentId: this.#options.agentId,
      software: `${SOFTWARE_NAME}/${SOFTWARE_VERSION}`,
      served: () => this.served(),
      onAdvanced: (previous, delta, arrival) => this.#onAdvanced(previous, delta, arrival),
      onRefused: (code) => this.metrics.deltaRefused.inc({ code }),
      onCommand: (command) => this.#onCommand(command),
      onSampleFormat: (format) => {
        this.#courier.begin(format);
        this.#updateFeedbackGauges();
      },
      onSamplesAnswered: (answer) => this.#courier.answered(answer),
    };
  }

  #publisherPin(): PublisherPin {
    const { publisher } = this.store;
    return {
      current: () => publisher.current(),
      follow: (next) => {
        publisher.follow(next);
        this.#options.log.info({ publisherKey: shortKey(next) }, 'the publisher signs with a new key');
      },
    };
  }

  #onAdvanced(previous: Position | null, delta: SparseDelta | null, { way, traceparent }: Arrival): void {
    const { metrics } = this;
    const model = this.store.identity?.model;
    assert(model !== undefined, 'weights belong to a model');
    // A squash over many versions counts once: in full it would have been one file as well.
    this.#versionsReceived++;
    metrics.versionsApplied.inc({ way });
    metrics.fullModelEquivalentBytes.inc(model.fileBytes);
    metrics.receivedBytes.inc(this.#link.bytesReceived - this.#bytesCounted);
    this.#bytesCounted = this.#link.bytesReceived;
    this.#updateGauges();
    if (traceparent !== null) {
      const { version } = this.store.head()!;
      this.#options.log.info({ version, traceparent: formatTraceparent(traceparent) }, 'stored');
    }
    const served = this.#serving.follow(previous, delta);
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

  /** @throws MESSAGE_UNEXPECTED when the hub sends orders faster than they can be carried out */
  #onCommand(command: MessageNamed<DownstreamMessage, 'command'>): void {
    if (this.#commandsWaiting === COMMANDS_WAITING_MAX) {
      throw new FreshetError('MESSAGE_UNEXPECTED', `${COMMANDS_WAITING_MAX} commands are waiting already`);
    }
    this.#commandsWaiting++;
    this.#commands = this.#commands.then(async () => {
      await this.#answer(command);
      this.#commandsWaiting--;
    });
  }

  /** An operator's order, at least once: one that was carried out before is only answered again. */
  async #answer(command: MessageNamed<DownstreamMessage, 'command'>): Promise<void> {
    const { id } = command;
    let result = { ok: true, outcome: 'was carried out before' };
    if (id > this.store.lastCommandId()) {
      result = await this.#carryOut(command);
      this.store.setLastCommandId(id);
    }
    this.#link.session?.reportCommand(id, result);
  }

  async #carryOut(order: MessageNamed<DownstreamMessage, 'command'>): Promise<CommandResult> {
    const target = targetOfOrder(order);
    // Answered and not a reason to hang up: the hub sends an order again until it is answered.
    if (target === null) return { ok: false, outcome: 'a pin names a version, and a follow names none' };
    try {
      const { after } = await this.rollback(target);
      return { ok: true, outcome: `serving version ${after.version}` };
    } catch (error) {
      // A damaged old version costs this order, not the agent. A disk that refuses does cost it.
      if (!(error instanceof FreshetError) || error.code === 'STORE_WRITE_FAILED') throw error;
      return { ok: false, outcome: error.message };
    }
  }

  #onSamplesAnswered(answer: FeedbackAnswer): void {
    const { feedbackAnswered, feedbackDeferred } = this.metrics;
    if (answer.kind === 'later') {
      feedbackDeferred.inc();
      return;
    }
    feedbackAnswered.inc({ outcome: 'taken' }, answer.taken);
    feedbackAnswered.inc({ outcome: 'duplicate' }, answer.duplicates);
    feedbackAnswered.inc({ outcome: 'refused' }, answer.refused.length);
    this.#updateFeedbackGauges();
  }

  #updateFeedbackGauges(): void {
    const { waiting, waitingBytes } = this.store.feedback.totals();
    this.metrics.feedbackWaiting.set(waiting);
    this.metrics.feedbackWaitingBytes.set(waitingBytes);
  }

  #updateGauges(): void {
    this.metrics.headVersion.set(this.store.head()?.version ?? 0);
    this.metrics.servedVersion.set(this.served()?.version ?? 0);
  }
}

/** An operator's orders are few; more than this is a flood. */
const COMMANDS_WAITING_MAX = 256;

interface CommandResult {
  readonly ok: boolean;
  readonly outcome: string;
}
