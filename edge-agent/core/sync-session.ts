/**
 * One session with the hub, from `hello` to the end of the connection: takes the hub's messages in order, puts what
 * proves right into the store, and answers. No socket and no clock here.
 *
 *   awaiting-welcome ──welcome──▶ live ──snapshotBegin──▶ live, assembling ──last chunk──▶ live
 *
 * A delta that cannot be taken changes nothing: the session says so once (`nack`) and then passes over what was
 * already on its way, until something arrives that fits the head again.
 */
import { unreachable } from '@freshet/protocol/assert';
import type { SparseDelta } from '@freshet/protocol/delta';
import { modelTag } from '@freshet/protocol/digest';
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import { OUR_PROTOCOL_RANGE } from '@freshet/protocol/handshake';
import {
  type AgentId,
  asWeightsVersion,
  type LineId,
  type Position,
  type Proof,
  type PublicKey,
  type WeightsVersion,
} from '@freshet/protocol/ids';
import { DOWNSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { type Model, modelOfMessage } from '@freshet/protocol/model';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import type { DeltaOutcome, ReceivedDelta, SnapshotOutcome } from './outcomes.ts';
import { forgedCommand, forgedVersion, type PublisherPin, publisherOf } from './publisher-trust.ts';
import { type CompleteSnapshot, SnapshotAssembly } from './snapshot-assembly.ts';

/** The part of the version store that a session works on. */
export interface SessionStore {
  readonly identity: { readonly lineId: LineId; readonly model: Model } | null;
  head(): Position | null;
  pinned(): WeightsVersion | null;
  adoptModel(lineId: LineId, model: Model): void;
  commitDelta(delta: ReceivedDelta): DeltaOutcome;
  commitSnapshot(position: Position, weights: Float32Array): SnapshotOutcome;
}

export interface SessionPorts {
  readonly store: SessionStore;
  /** With a key in it, only what that publisher has signed gets anywhere near the store. */
  readonly publisher: PublisherPin;
  readonly agentId: AgentId;
  /** Name and version of this program, for the hub's operator. */
  readonly software: string;
  served(): Position | null;
  send(message: UpstreamMessage): void;
  /** The session stands; `heartbeatMs` is the interval the hub asks for. */
  onWelcome(welcome: MessageNamed<DownstreamMessage, 'welcome'>): void;
  /**
   * The head has moved from `previous`, by `delta` if that is what has moved it: bring it into service, then call
   * `acknowledge`.
   */
  onAdvanced(previous: Position | null, delta: SparseDelta | null): void;
  onRefused(code: ErrorCode): void;
  onCommand(command: MessageNamed<DownstreamMessage, 'command'>): void;
}

export class SyncSession {
  readonly #ports: SessionPorts;
  #welcome: MessageNamed<DownstreamMessage, 'welcome'> | null = null;
  /** Signs all that comes in this session; null where no key is pinned. */
  #publisherKey: PublicKey | null = null;
  #assembly: SnapshotAssembly | null = null;
  /** Set from a `nack` until the hub's answer fits. */
  #resyncing = false;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  get live(): boolean {
    return this.#welcome !== null;
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
      partial: null,
    };
  }

  /**
   * Takes one message of the hub.
   * @throws FreshetError when the session must end: the code says how (ERROR_TRAITS); the store is as good as before.
   */
  receive(message: DownstreamMessage): void {
    if (message.type === 'error') throw this.#errorOfHub(message);
    if (this.#welcome === null && message.type !== 'welcome') {
      throw new FreshetError('MESSAGE_UNEXPECTED', `the hub sent ${message.type} before welcome`);
    }
    switch (message.type) {
      case 'welcome':
        this.#takeWelcome(message);
        return;
      case 'model':
        this.#ports.store.adoptModel(
          this.#session().lineId,
          modelOfMessage(message, this.#session().modelDigest),
        );
        return;
      case 'snapshotBegin':
        this.#beginSnapshot(message);
        return;
      case 'snapshotChunk':
        this.#takeChunk(message);
        return;
      case 'delta':
        this.#takeDelta(message);
        return;
      case 'command':
        this.#takeCommand(message);
        return;
      default:
        unreachable(message);
    }
  }

  /** Reports the head and what is served. Cumulative, so one call may cover many versions. */
  acknowledge(): void {
    const { head, served, pinned } = this.#report();
    if (this.#welcome === null || head === null) return;
    this.#ports.send({ type: 'ack', head, served, pinned });
  }

  /** To be called once per heartbeat interval. A resync that has gone unanswered for so long is asked for again. */
  heartbeat(counters: { bytesReceived: number; inferenceRequests: number }): void {
    if (this.#welcome === null) return;
    this.#resyncing = false;
    this.#ports.send({ type: 'heartbeat', ...this.#report(), ...counters });
  }

  /** Tells the hub that a stored version could not be served and is quarantined. */
  reportQuarantine(version: WeightsVersion, error: FreshetError): void {
    if (this.#welcome !== null) this.#sendNack(version, error);
  }

  reportCommand(id: number, result: { readonly ok: boolean; readonly outcome: string }): void {
    if (this.#welcome !== null) this.#ports.send({ type: 'commandResult', id, ...result });
  }

  #takeWelcome(welcome: MessageNamed<DownstreamMessage, 'welcome'>): void {
    if (this.#welcome !== null) throw new FreshetError('MESSAGE_UNEXPECTED', 'the hub sent welcome twice');
    const { store, publisher } = this.#ports;
    const { identity } = store;
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
  }

  #beginSnapshot(begin: MessageNamed<DownstreamMessage, 'snapshotBegin'>): void {
    const forgery = this.#forgeryOf(begin.version, begin.proof);
    if (forgery !== null) throw forgery;
    this.#assembly = new SnapshotAssembly(begin, this.#model().elementCount);
  }

  #takeChunk(message: MessageNamed<DownstreamMessage, 'snapshotChunk'>): void {
    if (this.#assembly === null)
      throw new FreshetError('MESSAGE_UNEXPECTED', 'a snapshot chunk without a snapshot');
    const complete = this.#assembly.add(message);
    if (complete === null) return;
    this.#assembly = null;
    this.#takeSnapshot(complete);
  }

  #takeSnapshot({ position, weights }: CompleteSnapshot): void {
    const previous = this.#ports.store.head();
    const outcome = this.#ports.store.commitSnapshot(position, weights);
    if (outcome.kind === 'refused') {
      this.#nack(position.version, outcome.error);
      return;
    }
    this.#resyncing = false;
    if (outcome.kind === 'applied') this.#ports.onAdvanced(previous, null);
    else this.acknowledge();
  }

  #takeDelta(message: MessageNamed<DownstreamMessage, 'delta'>): void {
    // A snapshot is never interleaved with deltas; one that is cut off by a delta has been given up by the hub.
    this.#assembly = null;
    const { base, span, proof, payload } = message;
    const next = asWeightsVersion(base + span);
    const forgery = this.#forgeryOf(next, proof);
    if (forgery !== null) {
      this.#nack(next, forgery);
      return;
    }
    if (message.modelTag !== modelTag(this.#model().digest)) {
      this.#nack(next, new FreshetError('MODEL_MISMATCH', 'a delta for another model'));
      return;
    }
    const previous = this.#ports.store.head();
    const outcome = this.#ports.store.commitDelta({ base, next, root: proof.root, payload });
    switch (outcome.kind) {
      case 'applied':
        this.#resyncing = false;
        this.#ports.onAdvanced(previous, outcome.delta);
        return;
      case 'duplicate':
        this.acknowledge();
        return;
      case 'gap':
        if (!this.#resyncing) {
          this.#nack(next, new FreshetError('BASE_MISMATCH', `a delta on ${base} does not fit the head`));
        }
        return;
      case 'refused':
        this.#nack(next, outcome.error);
        return;
      default:
        unreachable(outcome);
    }
  }

  #takeCommand(command: MessageNamed<DownstreamMessage, 'command'>): void {
    const { agentId, onCommand } = this.#ports;
    const key = this.#publisherKey;
    const forgery = key === null ? null : forgedCommand(key, this.#session(), agentId, command);
    // Not answered: an answer would close the true order with this id, which is yet to come.
    if (forgery !== null) throw forgery;
    onCommand(command);
  }

  /** Null for what may be believed. */
  #forgeryOf(version: WeightsVersion, proof: Proof): FreshetError | null {
    const key = this.#publisherKey;
    return key === null ? null : forgedVersion(key, this.#session(), version, proof);
  }

  #nack(rejected: WeightsVersion, error: FreshetError): void {
    this.#resyncing = true;
    this.#ports.onRefused(error.code);
    this.#sendNack(rejected, error);
  }

  #sendNack(rejected: WeightsVersion, error: FreshetError): void {
    const { head } = this.#report();
    this.#ports.send({ type: 'nack', rejected, head, code: error.code, reason: error.message });
  }

  #report(): { head: Position | null; served: Position | null; pinned: boolean } {
    const { store, served } = this.#ports;
    return { head: store.head(), served: served(), pinned: store.pinned() !== null };
  }

  #session(): MessageNamed<DownstreamMessage, 'welcome'> {
    if (this.#welcome === null) throw new FreshetError('MESSAGE_UNEXPECTED', 'no session yet');
    return this.#welcome;
  }

  #model(): Model {
    const model = this.#ports.store.identity?.model;
    if (model === undefined)
      throw new FreshetError('MESSAGE_UNEXPECTED', 'the hub sent weights before the model');
    return model;
  }

  #errorOfHub(message: MessageNamed<DownstreamMessage, 'error'>): FreshetError {
    const code = HUB_REFUSALS.find((each) => each === message.code) ?? 'MESSAGE_UNEXPECTED';
    return new FreshetError(code, `the hub says: ${message.reason}`);
  }
}

/** What a hub may refuse a session for. A code this version does not know ends the session, to be tried again. */
const HUB_REFUSALS: readonly ErrorCode[] = [
  'FRAME_MALFORMED',
  'FRAME_TOO_LARGE',
  'PROTOCOL_UNSUPPORTED',
  'MESSAGE_UNEXPECTED',
  'MODEL_MISMATCH',
  'LINE_MISMATCH',
  'AGENT_REPLACED',
  'PEER_SILENT',
];
