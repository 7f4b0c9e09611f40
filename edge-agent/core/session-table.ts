/**
 * The phases of a session with the hub and the events that can happen in them. What each event does in each phase is in
 * sync-session.ts; here is what makes the compiler demand an answer for every pair.
 */
import type { FreshetError } from '@freshet/protocol/errors';
import type { WireSample } from '@freshet/protocol/feedback';
import type { WeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';

export type SessionPhase = 'awaiting-welcome' | 'live' | 'assembling' | 'resyncing' | 'closed';

/** All that can happen to a session: the hub's messages under their own names, and what the device brings about. */
export type SessionEvents = {
  readonly [Type in DownstreamMessage['type']]: MessageNamed<DownstreamMessage, Type>;
} & {
  /** The interval of `welcome` has passed once more. */
  readonly heartbeatDue: HeartbeatCounters;
  /** What is served, or whether it is pinned, has changed. */
  readonly served: null;
  /** A stored version cannot be served. */
  readonly quarantined: { readonly version: WeightsVersion; readonly error: FreshetError };
  /** An order of the hub was carried out, or was not. */
  readonly commandDone: { readonly id: number; readonly ok: boolean; readonly outcome: string };
  /** There are samples to be sent. */
  readonly samplesDue: readonly WireSample[];
  readonly linkLost: null;
};

export interface HeartbeatCounters {
  readonly bytesReceived: number;
  readonly inferenceRequests: number;
}

/** Returns the phase that follows. @throws FreshetError when the session must end. */
export type Handler<Subject> = (subject: Subject) => SessionPhase;
export type SessionRow = { readonly [Name in keyof SessionEvents]: Handler<SessionEvents[Name]> };
export type SessionTable = Readonly<Record<SessionPhase, SessionRow>>;

const passOver = (): SessionPhase => 'closed';

/** After the end nothing happens any more: what is still on its way from the hub or the device is passed over. */
export const CLOSED: SessionRow = {
  welcome: passOver,
  model: passOver,
  snapshotBegin: passOver,
  snapshotChunk: passOver,
  delta: passOver,
  command: passOver,
  samples: passOver,
  feedbackResult: passOver,
  error: passOver,
  heartbeatDue: passOver,
  served: passOver,
  quarantined: passOver,
  commandDone: passOver,
  samplesDue: passOver,
  linkLost: passOver,
};
