/**
 * One session with the hub, from `hello` to the end of the connection: takes the hub's messages in order, puts what
 * proves right into the store, and answers. No socket and no clock here.
 *
 *   awaiting-welcome ──welcome──▶ live ──snapshotBegin──▶ assembling ──last chunk──▶ live
 *                                  │ ▲
 *             what cannot be taken ▼ │ what fits, or a heartbeat
 *                                resyncing
 *
 * The table says what every event does in every phase, and the compiler demands every cell; PROTOCOL.md prints it. A
 * delta that cannot be taken changes nothing: the session says so once (`nack`) and then passes over what was already
 * on its way. An error that a handler throws ends the session, whatever the phase.
 */
import { assert, unreachable } from '@freshet/protocol/assert';
import { modelTag } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import { formatOfMessage, type WireSample } from '@freshet/protocol/feedback';
import { checkNegotiated, OUR_PROTOCOL_RANGE } from '@freshet/protocol/handshake';
import {
  asWeightsVersion,
  type Position,
  type Proof,
  type PublicKey,
  samePosition,
  type WeightsVersion,
} from '@freshet/protocol/ids';
import { DOWNSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { type Model, modelOfMessage } from '@freshet/protocol/model';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import { malformedSnapshot } from '@freshet/protocol/snapshot-chunk';
import { FeedbackExchange } from './feedback-exchange.ts';
import { failAsHub } from './hub-refusal.ts';
import { forgedCommand, forgedVersion, publisherOf } from './publisher-trust.ts';
import type { SessionPorts } from './session-ports.ts';
import {
  CLOSED,
  type Handler,
  type HeartbeatCounters,
  type SessionPhase,
  type SessionRow,
  type SessionTable,
} from './session-table.ts';
import { type CompleteSnapshot, SnapshotAssembly } from './snapshot-assembly.ts';

type Welcome = MessageNamed<DownstreamMessage, 'welcome'>;

export class SyncSession {
  readonly #ports: SessionPorts;
  readonly #table: SessionTable;
  #phase: SessionPhase = 'awaiting-welcome';
  /** Set while the session is established. */
  #welcome: Welcome | null = null;
  /** Signs all that comes in this session; null where no key is pinned. */
  #publisherKey: PublicKey | null = null;
  /** Chunks that have come, in this session or before it; null where there are none. */
  #assembly: SnapshotAssembly | null;
  readonly #feedback = new FeedbackExchange();

  /** `partial`: what an earlier session has left of a snapshot; the session takes it over. */
  constructor(ports: SessionPorts, partial: SnapshotAssembly | null = null) {
    this.#ports = ports;
    this.#table = this.#makeTable();
    const headVersion = ports.store.head()?.version ?? 0;
    this.#assembly = partial !== null && partial.position.version > headVersion ? partial : null;
  }

  get phase(): SessionPhase {
    return this.#phase;
  }

  /** The snapshot that is not complete, for the session after this one. */
  get partial(): SnapshotAssembly | null {
    return this.#assembly;
  }

  /** First message of the session. */
  hello(): UpstreamMessage {
    const { store, agentId, software } = this.#ports;
    return {
      type: 'hello',
      ...OUR_PROTOCOL_RANGE,
      agentId,
      software,
      modelDigest: store.identity?.model.digest ?? null,
      lineId: store.identity?.lineId ?? null,
      ...this.#report(),
      valueFormats: VALUE_FORMATS,
      frameBytesMax: DOWNSTREAM_FRAME_BYTES_MAX,
      partial: this.#assembly?.partial() ?? null,
      feedback: true,
    };
  }

  /**
   * Takes one message of the hub.
   * @throws FreshetError when the session must end: the code says how (ERROR_TRAITS); the store is as good as before.
   */
  receive(message: DownstreamMessage): void {
    // The compiler checks each cell against its event, but cannot follow that the look-up by a message's type finds the
    // handler of that type.
    const handler = this.#table[this.#phase][message.type] as Handler<DownstreamMessage>;
    this.#handle(handler, message);
  }

  /** Reports the head and what is served. Cumulative, so one call may cover many versions. */
  acknowledge(): void {
    this.#handle(this.#table[this.#phase].served, null);
  }

  /** To be called once per heartbeat interval. A resync that has gone unanswered for so long is asked for again. */
  heartbeat(counters: HeartbeatCounters): void {
    this.#handle(this.#table[this.#phase].heartbeatDue, counters);
  }

  /** Tells the hub that a stored version could not be served and is quarantined. */
  reportQuarantine(version: WeightsVersion, error: FreshetError): void {
    this.#handle(this.#table[this.#phase].quarantined, { version, error });
  }

  reportCommand(id: number, result: { readonly ok: boolean; readonly outcome: string }): void {
    this.#handle(this.#table[this.#phase].commandDone, { id, ...result });
  }

  /** Whether `sendSamples` may be called. */
  get takesSamples(): boolean {
    return this.#phase !== 'closed' && this.#feedback.isOpen;
  }

  /** Sends a batch of samples; `onSamplesAnswered` tells what has become of it. */
  sendSamples(samples: readonly WireSample[]): void {
    this.#handle(this.#table[this.#phase].samplesDue, samples);
  }

  /** The connection is gone: nothing is sent from here on. */
  linkLost(): void {
    this.#handle(this.#table[this.#phase].linkLost, null);
  }

  #handle<Subject>(handler: Handler<Subject>, subject: Subject): void {
    try {
      this.#phase = handler(subject);
    } catch (error) {
      this.#phase = 'closed';
      throw error;
    }
  }

  #makeTable(): SessionTable {
    const early = ({ type }: DownstreamMessage) => unexpected(`the hub sent ${type} before welcome`);
    const waiting = (): SessionPhase => 'awaiting-welcome';
    return {
      'awaiting-welcome': {
        welcome: (message) => this.#takeWelcome(message),
        model: early,
        snapshotBegin: early,
        snapshotChunk: early,
        delta: early,
        command: early,
        samples: early,
        feedbackResult: early,
        error: failAsHub,
        heartbeatDue: waiting,
        served: waiting,
        quarantined: waiting,
        commandDone: waiting,
        samplesDue: waiting,
        linkLost: () => 'closed',
      },
      live: this.#established('live'),
      assembling: {
        ...this.#established('assembling'),
        snapshotChunk: (message) => this.#takeChunk(message),
      },
      resyncing: {
        ...this.#established('resyncing'),
        heartbeatDue: (counters) => this.#sendHeartbeat(counters, 'live'),
      },
      closed: CLOSED,
    };
  }

  /** What the phases between `welcome` and the end have in common. */
  #established(phase: SessionPhase): SessionRow {
    return {
      welcome: () => unexpected('the hub sent welcome twice'),
      model: (message) => this.#takeModel(message, phase),
      snapshotBegin: (message) => this.#beginSnapshot(message),
      snapshotChunk: () => unexpected('a snapshot chunk without a snapshot'),
      delta: (message) => this.#takeDelta(message, phase),
      command: (message) => this.#takeCommand(message, phase),
      samples: (message) => {
        this.#feedback.open();
        this.#ports.onSampleFormat(formatOfMessage(message));
        return phase;
      },
      feedbackResult: (result) => {
        this.#ports.onSamplesAnswered(this.#feedback.answered(result));
        return phase;
      },
      error: failAsHub,
      heartbeatDue: (counters) => this.#sendHeartbeat(counters, phase),
      served: () => this.#sendAck(phase),
      quarantined: ({ version, error }) => this.#sendNack(version, error, phase),
      commandDone: (result) => {
        this.#ports.send({ type: 'commandResult', ...result });
        return phase;
      },
      samplesDue: (samples) => {
        this.#ports.send(this.#feedback.batchOf(samples));
        return phase;
      },
      linkLost: () => 'closed',
    };
  }

  #takeWelcome(welcome: Welcome): SessionPhase {
    const { store, publisher } = this.#ports;
    const { identity } = store;
    checkNegotiated(welcome.protocol);
    const pinned = publisher.current();
    const publisherKey = pinned === null ? null : publisherOf(welcome, pinned, store.head());
    if (identity !== null && identity.model.digest !== welcome.modelDigest) {
      throw new FreshetError(
        'MODEL_MISMATCH',
        `this device holds model ${identity.model.modelId} and the hub publishes ${welcome.modelId}: ` +
          'point the agent at the right hub, or start it with another --state directory',
      );
    }
    if (identity !== null && identity.lineId !== welcome.lineId) {
      throw new FreshetError(
        'LINE_MISMATCH',
        'this device holds versions of another training run than the hub publishes: ' +
          'restore the hub from its own --state directory, or start the agent with a new one',
      );
    }
    // Only now: a hub of another line may have the same publisher and other rotations.
    if (publisherKey !== null && publisherKey !== pinned) publisher.follow(publisherKey);
    this.#publisherKey = publisherKey;
    this.#welcome = welcome;
    this.#ports.onWelcome(welcome);
    return 'live';
  }

  #takeModel(message: MessageNamed<DownstreamMessage, 'model'>, phase: SessionPhase): SessionPhase {
    const { lineId, modelDigest } = this.#session();
    this.#ports.store.adoptModel(lineId, modelOfMessage(message, modelDigest));
    return phase;
  }

  #beginSnapshot(begin: MessageNamed<DownstreamMessage, 'snapshotBegin'>): SessionPhase {
    const forgery = this.#forgeryOf(begin.version, begin.proof);
    if (forgery !== null) throw forgery;
    const position = { version: begin.version, root: begin.proof.root };
    const held = this.#assembly;
    if (begin.firstChunk === 0) {
      this.#assembly = new SnapshotAssembly(position, this.#model().elementCount);
      return 'assembling';
    }
    if (samePosition(held?.position ?? null, position) && held?.chunkCount === begin.firstChunk) {
      return 'assembling';
    }
    // Dropped, so that the next session starts from the first chunk.
    this.#assembly = null;
    const here = held === null ? 'nothing' : `${held.chunkCount} chunks of version ${held.position.version}`;
    throw malformedSnapshot(
      `version ${begin.version} from chunk ${begin.firstChunk} on, and here is ${here}`,
    );
  }

  #takeChunk(message: MessageNamed<DownstreamMessage, 'snapshotChunk'>): SessionPhase {
    assert(this.#assembly !== null, 'assembling has something to assemble');
    const complete = this.#assembly.add(message);
    if (complete === null) return 'assembling';
    this.#assembly = null;
    return this.#takeSnapshot(complete);
  }

  #takeSnapshot({ position, weights }: CompleteSnapshot): SessionPhase {
    const previous = this.#ports.store.head();
    const outcome = this.#ports.store.commitSnapshot(position, weights);
    if (outcome.kind === 'refused') return this.#nack(position.version, outcome.error);
    if (outcome.kind === 'duplicate') return this.#sendAck('live');
    this.#ports.onAdvanced(previous, null, { way: 'snapshot', traceparent: null });
    return 'live';
  }

  #takeDelta(message: MessageNamed<DownstreamMessage, 'delta'>, phase: SessionPhase): SessionPhase {
    // A snapshot is never interleaved with deltas; one that is cut off by a delta has been given up by the hub.
    this.#assembly = null;
    const { base, span, proof, payload } = message;
    const next = asWeightsVersion(base + span);
    if (!Number.isSafeInteger(next)) {
      throw new FreshetError('FRAME_MALFORMED', 'malformed message: delta leads to a version above 2^53 − 1');
    }
    const forgery = this.#forgeryOf(next, proof);
    if (forgery !== null) return this.#nack(next, forgery);
    if (message.modelTag !== modelTag(this.#model().digest)) {
      return this.#nack(next, new FreshetError('MODEL_MISMATCH', 'a delta for another model'));
    }
    const previous = this.#ports.store.head();
    const outcome = this.#ports.store.commitDelta({ base, next, root: proof.root, payload });
    const isResyncing = phase === 'resyncing';
    switch (outcome.kind) {
      case 'applied':
        this.#ports.onAdvanced(previous, outcome.delta, {
          way: message.trafficClass,
          traceparent: message.traceparent,
        });
        return 'live';
      case 'duplicate':
        return this.#sendAck(isResyncing ? 'resyncing' : 'live');
      case 'gap':
        if (isResyncing) return 'resyncing';
        return this.#nack(
          next,
          new FreshetError('BASE_MISMATCH', `a delta on ${base} does not fit the head`),
        );
      case 'refused':
        return this.#nack(next, outcome.error);
      default:
        unreachable(outcome);
    }
  }

  #takeCommand(command: MessageNamed<DownstreamMessage, 'command'>, phase: SessionPhase): SessionPhase {
    const { agentId, onCommand } = this.#ports;
    const key = this.#publisherKey;
    const forgery = key === null ? null : forgedCommand(key, this.#session(), agentId, command);
    // Not answered: an answer would close the true order with this id, which is yet to come.
    if (forgery !== null) throw forgery;
    onCommand(command);
    return phase;
  }

  /** Null for what may be believed. */
  #forgeryOf(version: WeightsVersion, proof: Proof): FreshetError | null {
    const key = this.#publisherKey;
    return key === null ? null : forgedVersion(key, this.#session(), version, proof);
  }

  #nack(rejected: WeightsVersion, error: FreshetError): SessionPhase {
    this.#ports.onRefused(error.code);
    return this.#sendNack(rejected, error, 'resyncing');
  }

  #sendNack(rejected: WeightsVersion, error: FreshetError, phase: SessionPhase): SessionPhase {
    const { head } = this.#report();
    this.#ports.send({ type: 'nack', rejected, head, code: error.code, reason: error.message });
    return phase;
  }

  #sendAck(phase: SessionPhase): SessionPhase {
    const { head, served, pinned } = this.#report();
    if (head !== null) this.#ports.send({ type: 'ack', head, served, pinned });
    return phase;
  }

  #sendHeartbeat(counters: HeartbeatCounters, phase: SessionPhase): SessionPhase {
    this.#ports.send({ type: 'heartbeat', ...this.#report(), ...counters });
    return phase;
  }

  #report(): { head: Position | null; served: Position | null; pinned: boolean } {
    const { store, served } = this.#ports;
    return { head: store.head(), served: served(), pinned: store.pinned() !== null };
  }

  #session(): Welcome {
    assert(this.#welcome !== null, 'an established session has been welcomed');
    return this.#welcome;
  }

  #model(): Model {
    const model = this.#ports.store.identity?.model;
    if (model === undefined) return unexpected('the hub sent weights before the model');
    return model;
  }
}

function unexpected(what: string): never {
  throw new FreshetError('MESSAGE_UNEXPECTED', what);
}
