/** What sessions and their hub know of each other. */
import type { AgentId, Signature } from '@freshet/protocol/ids';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import type { Order } from '@freshet/protocol/statements';
import type { AgentReport, HubFacts } from '../core/session-state.ts';
import type { Command } from '../history/version-log-commands.ts';
import type { FeedbackDesk } from './feedback-desk.ts';
import type { TrafficKind } from './frame.ts';
import type { Session } from './session.ts';
import type { TransferSource } from './transfer-source.ts';

/** What a session needs from the hub. */
export interface SessionHost {
  readonly facts: HubFacts;
  readonly transfers: TransferSource;
  readonly feedback: FeedbackDesk;
  readonly helloTimeoutMs: number;
  readonly silenceMs: number;
  /** The session now speaks for `agentId`; an older one of the same agent is told. */
  admit(session: Session, agentId: AgentId): void;
  /** The socket is gone. Called once per session. */
  left(session: Session): void;
  welcome(protocol: number): DownstreamMessage;
  modelFrame(): Buffer;
  report(agentId: AgentId, report: AgentReport, delivered: number): void;
  sent(agentId: AgentId | null, traffic: TrafficKind, bytes: number): void;
  nacked(code: string): void;
  /** The log failed while a transfer was made of it. */
  failed(error: unknown): void;
  pendingCommands(agentId: AgentId, after: number): readonly Command[];
  /** Null where the hub does not sign. */
  signOrder(agentId: AgentId, order: Order): Signature | null;
  /** Whether the agent had this command open. */
  answered(agentId: AgentId, commandId: number, ok: boolean, outcome: string): boolean;
}
