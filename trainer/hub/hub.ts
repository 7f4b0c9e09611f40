/**
 * The hub: keeps a session with every agent and moves all of them to the head of the version log. It owns the list of
 * sessions and the fan-out after a publish; what goes to one agent is the business of session.ts.
 */
import type { Server } from 'node:http';
import { assert } from '@freshet/protocol/assert';
import type { AgentId, PublicKey, WeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import { modelMessage } from '@freshet/protocol/model';
import type { Logger } from 'pino';
import { CATCH_UP_LIMITS, type CatchUpLimits } from '../core/catch-up-plan.ts';
import type { VersionLog } from '../history/version-log.ts';
import type { Command, CommandAction } from '../history/version-log-commands.ts';
import { AgentRoster, isProven } from './agent-roster.ts';
import { type AgentStatus, agentStatusOf } from './agent-status.ts';
import { FanOut } from './fan-out.ts';
import { FeedbackDesk } from './feedback-desk.ts';
import { encodeFrame } from './frame.ts';
import { HubCounters, type HubCounts } from './hub-counters.ts';
import { factsOf } from './log-facts.ts';
import type { SampleIntake } from './sample-intake.ts';
import { Session } from './session.ts';
import type { SessionHost } from './session-host.ts';
import { type Signer, UNSIGNED } from './signer.ts';
import { type Connection, createSyncEndpoint } from './sync-endpoint.ts';
import { TransferSource } from './transfer-source.ts';
import type { WeighedWays } from './ways/way-planner.ts';

export interface HubOptions {
  /** Open while the hub is; closed by whoever opened it, after the hub. */
  readonly log: VersionLog;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly logger: Logger;
  /** Signs what agents are to believe, for the line of `log`; absent: nothing is signed. */
  readonly signer?: Signer;
  /** Interval at which agents report; one that stays silent for two and a half is disconnected. */
  readonly heartbeatMs: number;
  /** Time for the first message of a connection. */
  readonly helloTimeoutMs?: number;
  /** Connections at a time; further ones are answered with 503. */
  readonly sessionsMax?: number;
  /** Agents that may be known, connected or not; further ones are turned away. */
  readonly agentsMax?: number;
  /** Bounds on the work of finding the cheapest way for an agent that lags. */
  readonly catchUpLimits?: CatchUpLimits;
}

export type EnqueueOutcome =
  | { readonly kind: 'enqueued'; readonly commands: readonly Command[] }
  | { readonly kind: 'agent-unknown'; readonly agentId: string }
  | { readonly kind: 'version-unknown'; readonly version: number };

export interface Hub {
  /** Serves agents through `server`. May be called before the log has a head: agents are told to come back. */
  attach(server: Server): void;
  /**
   * The log's head has moved, in this turn of the event loop: brings all agents there, a batch per turn. `traceparent`:
   * W3C trace context of the publish as hex digits without dashes, passed on to agents that take it as it happens.
   */
  published(traceparent?: string): void;
  /**
   * It is known what samples look like: from now on agents may send theirs, which go to `intake`. Once; `intake` is
   * closed by whoever opened it, after the hub.
   */
  takeSamples(intake: SampleIntake): void;
  /** All agents that have ever confirmed a version, and those connected that have not yet, by id. */
  agents(): readonly AgentStatus[];
  counts(): HubCounts;
  /**
   * What an agent at version `from` would cost to bring to `to`, by each way; null when the log lacks one of them.
   * @throws NOT_READY when that cannot be found out now; STORE_CORRUPT
   */
  weighCatchUp(from: WeightsVersion, to: WeightsVersion): Promise<WeighedWays | null>;
  /** The key that versions and commands are signed with, or null. */
  readonly publisherKey: PublicKey | null;
  /**
   * Orders agents to pin `version` or to follow the head; durable, and sent to those connected as soon as they can
   * carry it out. `all` are the agents that have ever confirmed a version.
   */
  enqueueCommand(
    agentIds: readonly string[] | 'all',
    action: CommandAction,
    version: WeightsVersion | null,
  ): EnqueueOutcome;
  /** Ends all sessions, saves the agents' records; sockets are gone when it resolves. */
  close(): Promise<void>;
}

const HELLO_TIMEOUT_MS = 10_000;
const SESSIONS_MAX = 10_000;
const AGENTS_MAX = 100_000;
const HEARTBEATS_UNTIL_SILENT = 2.5;

const SAVE_INTERVAL_MS = 5000;

/** How long agents get to answer the close frame. */
const CLOSE_GRACE_MS = 1000;

/**
 * A hub that serves nobody until it is attached. Failures of the log (STORE_CORRUPT, STORE_WRITE_FAILED) that show
 * while it works for a socket are thrown where nobody catches them: without its log a hub cannot go on.
 */
export function createHub(options: HubOptions): Hub {
  return new SyncHub(options);
}

class SyncHub implements Hub {
  readonly #log: VersionLog;
  readonly #logger: Logger;
  readonly #roster: AgentRoster;
  readonly #signer: Signer;
  readonly #counters = new HubCounters();
  readonly #feedback: FeedbackDesk;
  readonly #endpoint = createSyncEndpoint({
    refusal: () => this.#refusal(),
    connected: (connection) => this.#connected(connection),
  });
  readonly #host: SessionHost;
  readonly #sessionsMax: number;
  readonly #sessions = new Set<Session>();
  readonly #sessionOfAgent = new Map<AgentId, Session>();
  readonly #fanOut = new FanOut(() => this.#host.transfers.settle());
  readonly #saving: NodeJS.Timeout;
  #modelFrame: Buffer | null = null;
  #allGone: (() => void) | null = null;

  constructor(options: HubOptions) {
    this.#log = options.log;
    this.#logger = options.logger.child({ part: 'hub' });
    this.#roster = new AgentRoster(options.log.agents, options.clock, options.agentsMax ?? AGENTS_MAX);
    this.#feedback = new FeedbackDesk(this.#counters.feedback, this.#logger);
    this.#signer = options.signer ?? UNSIGNED;
    this.#sessionsMax = options.sessionsMax ?? SESSIONS_MAX;
    this.#host = this.#makeHost(options);
    this.#saving = setInterval(() => this.#roster.save(), SAVE_INTERVAL_MS);
    this.#saving.unref();
  }

  attach(server: Server): void {
    this.#endpoint.attach(server);
  }

  published(traceparent?: string): void {
    this.#counters.publishes++;
    this.#host.transfers.announce(traceparent ?? null);
    this.#fanOut.start(this.#sessions);
  }

  takeSamples(intake: SampleIntake): void {
    this.#feedback.open(intake);
    for (const session of this.#sessions) session.intakeOpened();
  }

  agents(): readonly AgentStatus[] {
    const fileBytes = this.#log.model()?.fileBytes ?? 0;
    const facts = { head: this.#log.head(), rootOf: this.#host.facts.rootOf };
    return this.#roster.all().map((record) => {
      const connected = this.#sessionOfAgent.get(record.agentId)?.isLive === true;
      return agentStatusOf(record, connected, facts, fileBytes);
    });
  }

  counts(): HubCounts {
    return this.#counters;
  }

  async weighCatchUp(from: WeightsVersion, to: WeightsVersion): Promise<WeighedWays | null> {
    return this.#log.head() === null ? null : this.#host.transfers.weigh(from, to);
  }

  get publisherKey(): PublicKey | null {
    return this.#signer.publicKey;
  }

  enqueueCommand(
    agentIds: readonly string[] | 'all',
    action: CommandAction,
    version: WeightsVersion | null,
  ): EnqueueOutcome {
    assert((action === 'pin') === (version !== null), 'pin names a version, follow does not');
    if (version !== null && this.#log.rootOf(version) === null) return { kind: 'version-unknown', version };
    const known = this.#roster.all();
    const targets = agentIds === 'all' ? known.filter(isProven).map(({ agentId }) => agentId) : [];
    const idOfName = new Map(known.map(({ agentId }) => [agentId as string, agentId]));
    for (const name of agentIds === 'all' ? [] : new Set(agentIds)) {
      const agentId = idOfName.get(name);
      if (agentId === undefined) return { kind: 'agent-unknown', agentId: name };
      targets.push(agentId);
    }
    const commands = this.#log.commands.enqueue(targets, action, version);
    for (const agentId of targets) this.#sessionOfAgent.get(agentId)?.sendCommands();
    return { kind: 'enqueued', commands };
  }

  async close(): Promise<void> {
    this.#endpoint.detach();
    clearInterval(this.#saving);
    this.#fanOut.stop();
    this.#feedback.stop();
    if (this.#sessions.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#allGone = resolve;
      for (const session of this.#sessions) session.leave();
      const impatience = setTimeout(() => {
        for (const session of this.#sessions) session.terminate();
      }, CLOSE_GRACE_MS);
      await promise;
      clearTimeout(impatience);
    }
    await this.#host.transfers.close();
    this.#roster.save();
  }

  #refusal(): string | null {
    if (this.#log.head() === null) return 'there is no version yet: try again soon';
    if (this.#sessions.size >= this.#sessionsMax) return 'too many connections: try again later';
    return null;
  }

  #connected(connection: Connection): void {
    const { remoteAddress } = connection;
    this.#sessions.add(new Session(connection, this.#host, this.#logger.child({ remoteAddress })));
  }

  #makeHost({ log, heartbeatMs, helloTimeoutMs, catchUpLimits }: HubOptions): SessionHost {
    return {
      facts: factsOf(log, this.#roster, this.#feedback, () => this.#encodedModel().length),
      feedback: this.#feedback,
      transfers: new TransferSource({
        log,
        limits: catchUpLimits ?? CATCH_UP_LIMITS,
        signer: this.#signer,
        logger: this.#logger,
      }),
      helloTimeoutMs: helloTimeoutMs ?? HELLO_TIMEOUT_MS,
      silenceMs: HEARTBEATS_UNTIL_SILENT * heartbeatMs,
      admit: (session, agentId) => this.#admit(session, agentId),
      left: (session) => this.#left(session),
      welcome: (protocol) => this.#welcome(protocol, heartbeatMs),
      modelFrame: () => this.#encodedModel(),
      report: (agentId, report, delivered) => this.#roster.report(agentId, report, delivered),
      sent: (agentId, traffic, bytes) => {
        this.#counters.sentBytes[traffic] += bytes;
        if (agentId !== null) this.#roster.sent(agentId, bytes);
      },
      nacked: (code) => this.#counters.nacked(code),
      failed: (error) =>
        queueMicrotask(() => {
          throw error;
        }),
      pendingCommands: (agentId, after) => log.commands.pendingOf(agentId, after),
      signOrder: (agentId, order) => this.#signer.signOrder(agentId, order),
      answered: (agentId, commandId, ok, outcome) => {
        const known = log.commands.complete(commandId, agentId, ok, outcome);
        if (known) this.#logger.info({ agentId, commandId, ok, outcome }, 'command answered');
        else this.#logger.debug({ agentId, commandId }, 'an answer to no open command');
        return known;
      },
    };
  }

  #admit(session: Session, agentId: AgentId): void {
    const older = this.#sessionOfAgent.get(agentId);
    this.#sessionOfAgent.set(agentId, session);
    this.#roster.enrol(agentId);
    older?.replaced();
  }

  #left(session: Session): void {
    this.#sessions.delete(session);
    this.#fanOut.drop(session);
    const { agentId } = session;
    if (agentId !== null && this.#sessionOfAgent.get(agentId) === session) {
      this.#sessionOfAgent.delete(agentId);
      this.#roster.left(agentId);
    }
    this.#roster.save();
    if (this.#sessions.size === 0) this.#allGone?.();
  }

  #welcome(protocol: number, heartbeatMs: number): DownstreamMessage {
    const model = this.#log.model();
    assert(model !== null, 'a log with a head has a model');
    const { head } = this.#host.facts;
    return {
      type: 'welcome',
      protocol,
      modelId: model.modelId,
      modelDigest: model.digest,
      lineId: this.#log.lineId,
      head: { version: head.version, proof: this.#signer.prove(model.digest, head) },
      heartbeatMs,
      rotations: this.#signer.rotations,
    };
  }

  #encodedModel(): Buffer {
    const model = this.#log.model();
    assert(model !== null, 'a log with a head has a model');
    this.#modelFrame ??= encodeFrame(modelMessage(model));
    return this.#modelFrame;
  }
}
