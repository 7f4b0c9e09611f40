/**
 * The shapes of the admin API's answers.
 */
import type { LineId, ModelDigest, Position, PublicKey } from '@freshet/protocol/ids';
import type { Savings } from '../core/savings.ts';
import type { Command } from '../history/version-log-commands.ts';
import type { VersionInfo } from '../history/version-log-rows.ts';
import type { AgentStatus } from '../hub/agent-status.ts';
import type { FeedbackCounts } from '../hub/hub-counters.ts';

/** GET /api/v1/status. `Learner`: what the learner's keeper says about it, passed through as JSON. */
export interface TrainerStatus<Learner> {
  readonly lineId: LineId;
  /** What versions and commands are signed with; null where they are not. */
  readonly publisherKey: PublicKey | null;
  /** Null until the learner has exported its model. */
  readonly modelId: string | null;
  readonly modelDigest: ModelDigest | null;
  /** Size of the complete ONNX file. */
  readonly fullModelBytes: number | null;
  readonly head: Position | null;
  readonly learner: Learner;
  /** Samples that devices have sent since the hub started. */
  readonly feedback: FeedbackCounts;
  readonly agents: readonly AgentStatus[];
}

/** GET /api/v1/versions, newest first. */
export interface VersionsAnswer {
  readonly versions: readonly VersionInfo[];
}

/** GET /api/v1/agents */
export interface AgentsAnswer {
  readonly agents: readonly AgentStatus[];
}

/** GET /api/v1/savings */
export interface SavingsAnswer {
  readonly total: Savings;
  readonly agents: readonly (Savings & { readonly agentId: string })[];
}

/** POST /api/v1/rollback; how each command ended is at GET /api/v1/commands/:id. */
export interface RollbackAnswer {
  readonly commands: readonly Command[];
}
