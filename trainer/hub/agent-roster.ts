/**
 * The agents the hub knows, with what they last reported and their traffic. It works in memory and saves what has
 * changed when told to. Anybody can say hello under any name, so an agent is remembered only once it is proven; until
 * then it is known for as long as it is connected.
 */
import { assert } from '@freshet/protocol/assert';
import type { AgentId } from '@freshet/protocol/ids';
import type { AgentReport } from '../core/session-state.ts';
import type { AgentLedger, AgentRecord } from '../history/version-log-agents.ts';

/** Whether the agent has ever confirmed a transfer: from then on it is remembered while it is away. */
export function isProven({ versionsDelivered }: Pick<AgentRecord, 'versionsDelivered'>): boolean {
  return versionsDelivered > 0;
}

export class AgentRoster {
  readonly #ledger: AgentLedger;
  readonly #clock: () => number;
  readonly #agentsMax: number;
  readonly #records: Map<AgentId, AgentRecord>;
  readonly #unsaved = new Set<AgentId>();

  /** `clock` returns milliseconds since the epoch; no newcomers are welcome once `agentsMax` agents are known. */
  constructor(ledger: AgentLedger, clock: () => number, agentsMax: number) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#agentsMax = agentsMax;
    this.#records = new Map(ledger.all().map((record) => [record.agentId, record]));
  }

  /** Whether `agentId` is known or may become so. */
  hasRoomFor(agentId: AgentId): boolean {
    return this.#records.has(agentId) || this.#records.size < this.#agentsMax;
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

  /** The agent has disconnected: forgets it unless it is proven. */
  left(agentId: AgentId): void {
    if (isProven(this.#recordOf(agentId))) return;
    this.#records.delete(agentId);
    this.#unsaved.delete(agentId);
  }

  report(agentId: AgentId, report: AgentReport, delivered: number): void {
    const before = this.#recordOf(agentId);
    const { bytesReceived: reported, ...told } = report;
    this.#replace({
      ...before,
      ...told,
      lastSeenAtMs: this.#clock(),
      versionsDelivered: saturatingSum(before.versionsDelivered, delivered),
      ...(reported === undefined ? {} : receivedBytes(before, reported)),
    });
  }

  sent(agentId: AgentId, bytes: number): void {
    const before = this.#recordOf(agentId);
    this.#replace({ ...before, bytesSent: saturatingSum(before.bytesSent, bytes) });
  }

  /** Makes everything since the last save durable, of proven agents. */
  save(): void {
    this.#ledger.save([...this.#unsaved].map((agentId) => this.#recordOf(agentId)).filter(isProven));
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
  return { bytesReceived: saturatingSum(before.bytesReceived, since), bytesReceivedReported: reported };
}

/** Peers choose the terms: a sum that stays an exact integer fits its column whatever they report. */
function saturatingSum(left: number, right: number): number {
  return Math.min(left + right, Number.MAX_SAFE_INTEGER);
}
