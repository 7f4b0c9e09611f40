/**
 * What each agent last reported and what was sent to it, kept in the version log's file so that savings and the list
 * of agents outlive the hub. The hub works on its own copy and saves now and then; a crash loses a few seconds of
 * counts, never an agent's state, which the agent itself reports anew.
 */
import { type AgentId, asRoot, asWeightsVersion, type Position } from '@freshet/protocol/ids';
import type { LogDatabase } from './version-log-database.ts';

export interface AgentRecord {
  readonly agentId: AgentId;
  readonly software: string;
  readonly lastSeenAtMs: number;
  readonly head: Position | null;
  readonly served: Position | null;
  readonly pinned: boolean;
  /** Bytes of all messages sent to it, WebSocket headers included. */
  readonly bytesSent: number;
  /** Bytes it says it has read from its sockets, over all its processes. */
  readonly bytesReceived: number;
  /** Last value of its own counter, which starts at zero with each of its processes. */
  readonly bytesReceivedReported: number;
  /** As it last reported; starts at zero with each of its processes. */
  readonly inferenceRequests: number;
  /** Transfers (deltas, squashes, snapshots) that it has confirmed: each made one new version available on it. */
  readonly versionsDelivered: number;
}

interface AgentRow {
  readonly agent_id: AgentId;
  readonly software: string;
  readonly last_seen_at_ms: number;
  readonly head_version: number | null;
  readonly head_root: string | null;
  readonly served_version: number | null;
  readonly served_root: string | null;
  readonly pinned: 0 | 1;
  readonly bytes_sent: number;
  readonly bytes_received: number;
  readonly bytes_received_reported: number;
  readonly inference_requests: number;
  readonly versions_delivered: number;
}

export class AgentLedger {
  readonly #database: LogDatabase;

  constructor(database: LogDatabase) {
    this.#database = database;
  }

  /** All agents that were ever saved, by id. */
  all(): readonly AgentRecord[] {
    return this.#database.read(() =>
      this.#database.prepare<[], AgentRow>('SELECT * FROM agents ORDER BY agent_id').all().map(recordOfRow),
    );
  }

  /** Replaces the rows of these agents in one transaction. */
  save(records: readonly AgentRecord[]): void {
    if (records.length === 0) return;
    this.#database.write(() => {
      const replace = this.#database.prepare<[AgentRow]>(
        `INSERT OR REPLACE INTO agents VALUES (
          @agent_id, @software, @last_seen_at_ms, @head_version, @head_root, @served_version, @served_root, @pinned,
          @bytes_sent, @bytes_received, @bytes_received_reported, @inference_requests, @versions_delivered
        )`,
      );
      for (const record of records) replace.run(rowOfRecord(record));
    });
  }
}

function recordOfRow(row: AgentRow): AgentRecord {
  return {
    agentId: row.agent_id,
    software: row.software,
    lastSeenAtMs: row.last_seen_at_ms,
    head: positionOf(row.head_version, row.head_root),
    served: positionOf(row.served_version, row.served_root),
    pinned: row.pinned === 1,
    bytesSent: row.bytes_sent,
    bytesReceived: row.bytes_received,
    bytesReceivedReported: row.bytes_received_reported,
    inferenceRequests: row.inference_requests,
    versionsDelivered: row.versions_delivered,
  };
}

function rowOfRecord(record: AgentRecord): AgentRow {
  return {
    agent_id: record.agentId,
    software: record.software,
    last_seen_at_ms: record.lastSeenAtMs,
    head_version: record.head?.version ?? null,
    head_root: record.head?.root ?? null,
    served_version: record.served?.version ?? null,
    served_root: record.served?.root ?? null,
    pinned: record.pinned ? 1 : 0,
    bytes_sent: record.bytesSent,
    bytes_received: record.bytesReceived,
    bytes_received_reported: record.bytesReceivedReported,
    inference_requests: record.inferenceRequests,
    versions_delivered: record.versionsDelivered,
  };
}

function positionOf(version: number | null, root: string | null): Position | null {
  return version === null || root === null
    ? null
    : { version: asWeightsVersion(version), root: asRoot(root) };
}
