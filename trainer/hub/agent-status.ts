/**
 * What the hub tells the world about an agent: its record, joined with what the log proves about it.
 */
import type { AgentId, Position } from '@freshet/protocol/ids';
import type { HubFacts } from '../core/session-state.ts';
import type { AgentRecord } from '../history/version-log-agents.ts';

export interface AgentStatus {
  readonly agentId: AgentId;
  readonly software: string;
  readonly connected: boolean;
  readonly lastSeenAtMs: number;
  readonly head: Position | null;
  readonly served: Position | null;
  /** Whether the served root is the log's root of that version; null where nothing is served or the log forgot it. */
  readonly rootMatches: boolean | null;
  readonly pinned: boolean;
  /** Versions between its head and the hub's; null before it has a head. */
  readonly lagVersions: number | null;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly inferenceRequests: number;
  readonly versionsDelivered: number;
  /** What sending the complete ONNX file at each of these deliveries would have cost. */
  readonly fullModelEquivalentBytes: number;
}

export function agentStatusOf(
  record: AgentRecord,
  connected: boolean,
  facts: Pick<HubFacts, 'rootOf'> & { readonly head: Position | null },
  fileBytes: number,
): AgentStatus {
  const { head, served } = record;
  const expected = served === null ? null : facts.rootOf(served.version);
  return {
    agentId: record.agentId,
    software: record.software,
    connected,
    lastSeenAtMs: record.lastSeenAtMs,
    head,
    served,
    rootMatches: expected === null ? null : expected === served?.root,
    pinned: record.pinned,
    lagVersions: head === null || facts.head === null ? null : facts.head.version - head.version,
    bytesSent: record.bytesSent,
    bytesReceived: record.bytesReceived,
    inferenceRequests: record.inferenceRequests,
    versionsDelivered: record.versionsDelivered,
    fullModelEquivalentBytes: record.versionsDelivered * fileBytes,
  };
}
