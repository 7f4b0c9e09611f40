/** Agents on the sockets of one hub, proper ones and ones that do only what the test says. */
import { strict as assert } from 'node:assert';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import { snapshotChunkCount } from '@freshet/protocol/snapshot-chunk';
import type { AgentStatus } from '../../trainer/hub/agent-status.ts';
import type { HubHarness } from './hub-harness.ts';
import { follow, helloOf, Replica, WireClient } from './wire-client.ts';

export class HubAgents {
  readonly #harnessNow: () => HubHarness;
  readonly #clients: WireClient[] = [];

  /** `harnessNow`: the one that the test is working with when an agent is asked for. */
  constructor(harnessNow: () => HubHarness) {
    this.#harnessNow = harnessNow;
  }

  async connect(): Promise<WireClient> {
    return this.keep(await WireClient.connect(this.#harnessNow().port));
  }

  /** Ends the connection of `client` with the others. */
  keep(client: WireClient): WireClient {
    this.#clients.push(client);
    return client;
  }

  /** A proper agent that has caught up with the head. */
  async following(agentId: string, replica = new Replica(this.#harnessNow().model)) {
    const { log, model, port } = this.#harnessNow();
    const known = replica.head === null ? {} : { lineId: log.lineId, modelDigest: model.digest };
    const hello = helloOf(agentId, { ...known, head: replica.head, served: replica.head });
    const client = this.keep(await follow(port, hello, replica));
    await client.until(() => this.isAtHead(replica));
    await client.settled();
    return { client, replica };
  }

  isAtHead(replica: Replica): boolean {
    return replica.head?.version === this.#harnessNow().log.head()?.version;
  }

  /** An agent that has taken the first snapshot and does nothing by itself from then on. */
  async passive(agentId: string): Promise<WireClient> {
    const client = await this.connect();
    client.send(helloOf(agentId));
    await client.next('welcome');
    await client.next('model');
    await client.next('snapshotBegin');
    const { elementCount } = this.#harnessNow().model;
    for (let left = snapshotChunkCount(elementCount); left > 0; left--) await client.next('snapshotChunk');
    return client;
  }

  /** Acknowledges the hub's head. */
  async confirmHead(client: WireClient): Promise<void> {
    const head = this.#harnessNow().log.head()!;
    client.send({ type: 'ack', head, served: head, pinned: false });
    await client.settled();
  }

  statusOf(agentId: string): AgentStatus {
    const status = this.#harnessNow()
      .hub.agents()
      .find((agent) => agent.agentId === agentId);
    assert.ok(status !== undefined);
    return status;
  }

  /** Ends all connections. */
  terminate(): void {
    for (const client of this.#clients.splice(0)) client.socket.terminate();
  }
}

/** Messages of a type that have arrived. */
export function countOf(client: WireClient, type: DownstreamMessage['type']): number {
  return client.received.filter((message) => message.type === type).length;
}
