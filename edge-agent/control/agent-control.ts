/**
 * What a person can ask of a device, whether an agent runs there or not: `RunningAgent` asks the process over HTTP,
 * `StoredAgent` works on the database of a stopped one. Commands do not know which of the two they hold.
 */
import type { Position, WeightsVersion } from '@freshet/protocol/ids';
import type { SamplesAnswer } from '@freshet/protocol/local/samples-api';
import type { RollbackTarget } from '../core/rollback-target.ts';
import type { ModelSignature } from '../core/tensor.ts';
import type { LinkState } from '../link/hub-link.ts';
import type { FeedbackTotals } from '../store/feedback-state.ts';
import type { FeedbackStatus } from '../store/feedback-table.ts';
import type { PinnedKeys } from '../store/publisher-table.ts';
import type { VerifyReport } from '../store/verify.ts';
import type { VersionInfo } from '../store/version-table.ts';

/** Below which the process answers. */
export const CONTROL_PATH = '/admin/v1';

export interface AgentStatus {
  /** Null for a stopped agent. */
  readonly process: RunningStatus | null;
  readonly modelId: string | null;
  readonly lineId: string | null;
  readonly head: Position | null;
  /** What answers requests; of a stopped agent what will, once it runs. */
  readonly served: Position | null;
  readonly pinned: WeightsVersion | null;
  readonly versionCount: number;
  /** The publisher's key that this device believes; null where it believes any hub. */
  readonly publisher: PinnedKeys | null;
  /** Size of the complete ONNX file. */
  readonly fullModelBytes: number | null;
  /** Labelled samples for the hub. */
  readonly feedback: FeedbackTotals;
}

export interface RunningStatus {
  readonly agentId: string;
  readonly pid: number;
  readonly url: string;
  readonly hubUrl: string;
  readonly link: LinkState;
  /** Why the hub will not have this agent, when link is `refused`. */
  readonly refusal: string | null;
  readonly uptimeSeconds: number;
  /** Since the process started. */
  readonly bytesReceived: number;
  readonly versionsReceived: number;
  readonly inferenceRequests: number;
}

export interface RollbackReport {
  readonly before: Position | null;
  readonly after: Position;
  /** The device stays on `after` while newer versions arrive. */
  readonly pinned: boolean;
  /** From the order to the first answer of `after`; of a stopped agent only the change of the database. */
  readonly durationMs: number;
}

export interface DeviceControl {
  status(): Promise<AgentStatus>;
  versions(): Promise<readonly VersionInfo[]>;
  /** @throws VERSION_UNKNOWN, VERSION_QUARANTINED: nothing has changed then. */
  rollback(target: RollbackTarget): Promise<RollbackReport>;
  verify(): Promise<VerifyReport>;
  feedback(): Promise<FeedbackStatus>;
}

/** The same for a command: from outside the agent's process. */
export interface AgentControl extends DeviceControl {
  /** What the served model takes and gives. @throws NOT_READY */
  signature(): Promise<ModelSignature>;
  /** Answers an Open Inference Protocol request, as JSON in and out. @throws INPUT_INVALID, NOT_READY */
  infer(request: unknown): Promise<unknown>;
  /**
   * Queues labelled samples for the hub, all or none.
   * @throws INPUT_INVALID with the `answer` in its details, NOT_READY where there is no room or nobody has said yet what a
   *   sample looks like
   */
  addSamples(samples: readonly unknown[]): Promise<SamplesAnswer>;
  close(): Promise<void>;
}
