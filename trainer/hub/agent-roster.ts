/**
 * All agents the hub has ever heard of, with what they last reported and their traffic. It works in memory and saves
 * what has changed when told to.
 */
import { assert } from '@freshet/protocol/assert';
import type { AgentId } from '@freshet/protocol/ids';
import type { AgentReport } from '../core/session-state.ts';
import type { AgentLedger, AgentRecord } from '../history/version-log-agents.ts';

export class AgentRoster {
  readonly #ledger: AgentLedger;
  readonly #clock: () => number;
  readonly #records: Map<AgentId, AgentRecord>;
  readonly #unsaved = new Set<AgentId>();

  /** `clock` returns milliseconds since the epoch. */
  constructor(ledger: AgentLedger, clock: () => number) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#records = new Map(ledger.all().map((record) => [record.agentId, record]));
  }

  has(agentId: AgentId): boolean {
    return this.#records.has(agentId);
  }

  /** By id, so that lists do not jump about. */
  all(): readonly AgentRecord[] {
    return [...this.#records.values()].sort((left, right) => (left.agentId < right.agentId ? -1 : 1));
  }

  /** Makes `agentId` known, with zero traffic, where it is not. */
  enrol(agentId: AgentId): void {
    if (this.#records.has(agentId)) return;
    this.#replace({
      agentId,
      software: '',
      lastSeenAtMs: this.#clock(),
      head: null,
      served: null,
      pinned: false,
      bytesSent: 0,
      bytesReceived: 0,
      bytesReceivedReported: 0,
      inferenceRequests: 0,
      versionsDelivered: 0,
    });
  }

  report(agentId: AgentId, report: AgentReport, delivered: number): void {
    const before = this.#recordOf(agentId);
    const { bytesReceived: reported, ...told } = report;
    this.#replace({
      ...before,
      ...told,
      lastSeenAtMs: this.#clock(),
      versionsDelivered: before.versionsDelivered + delivered,
      ...(reported === undefined ? {} : receivedBytes(before, reported)),
    });
  }

  sent(agentId: AgentId, bytes: number): void {
    const before = this.#recordOf(agentId);
    this.#replace({ ...before, bytesSent: before.bytesSent + bytes });
  }

  /** Makes everything since the last save durable. */
  save(): void {
    this.#ledger.save([...this.#unsaved].map((agentId) => this.#recordOf(agentId)));
    this.#unsaved.clear();
  }

  #recordOf(agentId: AgentId): AgentRecord {
    const record = this.#records.get(agentId);
    assert(record !== undefined, 'a session enrols its agent first');
    return record;
  }

  #replace(record: AgentRecord): void {
    this.#records.set(record.agentId, record);
    this.#unsaved.add(record.agentId);
  }
}

/** The agent counts from zero again when its process restarts, which shows in a counter that went back. */
function receivedBytes(before: AgentRecord, reported: number) {
  const since = reported >= before.bytesReceivedReported ? reported - before.bytesReceivedReported : reported;
  return { bytesReceived: before.bytesReceived + since, bytesReceivedReported: reported };
}
