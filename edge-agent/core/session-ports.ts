/** What a session with the hub needs of the device around it. */
import type { SparseDelta } from '@freshet/protocol/delta';
import type { ErrorCode } from '@freshet/protocol/errors';
import type { AgentId, LineId, Position, WeightsVersion } from '@freshet/protocol/ids';
import type {
  DownstreamMessage,
  MessageNamed,
  TrafficClass,
  UpstreamMessage,
} from '@freshet/protocol/messages';
import type { Model } from '@freshet/protocol/model';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import type { FeedbackAnswer } from './feedback-exchange.ts';
import type { DeltaOutcome, ReceivedDelta, SnapshotOutcome } from './outcomes.ts';
import type { PublisherPin } from './publisher-trust.ts';

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
  onAdvanced(previous: Position | null, delta: SparseDelta | null, arrival: Arrival): void;
  onRefused(code: ErrorCode): void;
  onCommand(command: MessageNamed<DownstreamMessage, 'command'>): void;
  /** The hub takes samples of `format`: `sendSamples` may be called from now on. */
  onSampleFormat(format: SampleFormat): void;
  /** What has become of the samples that were sent last: the next ones may be. */
  onSamplesAnswered(answer: FeedbackAnswer): void;
}

/** How a version came. */
export interface Arrival {
  readonly way: TrafficClass | 'snapshot';
  /** W3C trace context of its publish, as hex digits without dashes; null where it is not traced. */
  readonly traceparent: string | null;
}
