/**
 * An agent reduced to its socket: speaks the real codec to a real hub, keeps what arrives, and answers only what a
 * test tells it to. With `follow` it behaves like a proper agent and applies every transfer to a replica.
 */
import { strict as assert } from 'node:assert';
import { downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import { applyDelta } from '@freshet/protocol/delta';
import { decodeDeltaPayload } from '@freshet/protocol/delta-payload';
import { digestWeights } from '@freshet/protocol/digest';
import { OUR_PROTOCOL_RANGE } from '@freshet/protocol/handshake';
import { asAgentId, asWeightsVersion, type Position } from '@freshet/protocol/ids';
import { DOWNSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import type { Model } from '@freshet/protocol/model';
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import {
  decodeSnapshotChunk,
  SNAPSHOT_CHUNK_ELEMENTS,
  snapshotChunkCount,
  snapshotChunkElements,
} from '@freshet/protocol/snapshot-chunk';
import { SUBPROTOCOL, SYNC_PATH } from '@freshet/protocol/version';
import WebSocket from 'ws';

type Downstream<Type extends DownstreamMessage['type']> = MessageNamed<DownstreamMessage, Type>;
type Hello = MessageNamed<UpstreamMessage, 'hello'>;

interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** Only a test that fails waits so long. */
const PATIENCE_MS = 30_000;

export function helloOf(agentId: string, overrides: Partial<Hello> = {}): Hello {
  return {
    type: 'hello',
    ...OUR_PROTOCOL_RANGE,
    agentId: asAgentId(agentId),
    software: 'wire-client/1',
    modelDigest: null,
    lineId: null,
    head: null,
    served: null,
    pinned: false,
    valueFormats: VALUE_FORMATS,
    frameBytesMax: DOWNSTREAM_FRAME_BYTES_MAX,
    partial: null,
    feedback: false,
    ...overrides,
  };
}

export class WireClient {
  readonly socket: WebSocket;
  /** Everything that has arrived, in order. */
  readonly received: DownstreamMessage[] = [];
  #taken = 0;
  #wakeUps: (() => void)[] = [];
  #closed: Closed | null = null;

  static async connect(port: number): Promise<WireClient> {
    const client = new WireClient(new WebSocket(`ws://127.0.0.1:${port}${SYNC_PATH}`, SUBPROTOCOL));
    await new Promise<void>((resolve, reject) => {
      client.socket.once('open', resolve);
      client.socket.once('error', reject);
    });
    return client;
  }

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (frame: Buffer) => {
      this.received.push(downstreamCodec.decode(frame));
      this.#wake();
    });
    // Failures of the connection show as a close code.
    socket.on('error', () => this.#wake());
    socket.on('close', (code, reason) => {
      this.#closed = { code, reason: reason.toString() };
      this.#wake();
    });
  }

  send(message: UpstreamMessage): void {
    this.socket.send(upstreamCodec.encode(message));
  }

  /** The next message that no earlier `next` has passed over; fails when it has another type or the hub closes. */
  async next<Type extends DownstreamMessage['type']>(type: Type): Promise<Downstream<Type>> {
    await this.until(() => this.received.length > this.#taken);
    const message = this.received[this.#taken++]!;
    assert.equal(message.type, type, JSON.stringify(message).slice(0, 200));
    return message as Downstream<Type>;
  }

  /** Resolves as soon as `holds`, asked again after every message; fails when the connection ends before. */
  async until(holds: () => boolean): Promise<void> {
    await this.#wait(() => holds() || this.#closed !== null);
    assert.ok(holds(), `the hub closed the connection: ${JSON.stringify(this.#closed)}`);
  }

  /** How the connection ended. */
  async closed(): Promise<Closed> {
    await this.#wait(() => this.#closed !== null);
    return this.#closed!;
  }

  /** Resolves when the hub has taken in everything sent before: a ping is answered in order. */
  async settled(): Promise<void> {
    let isAnswered = false;
    this.socket.once('pong', () => {
      isAnswered = true;
      this.#wake();
    });
    this.socket.ping();
    await this.until(() => isAnswered);
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed();
  }

  async #wait(holds: () => boolean): Promise<void> {
    let isOver = false;
    const deadline = setTimeout(() => {
      isOver = true;
      this.#wake();
    }, PATIENCE_MS);
    while (!holds()) {
      const last = this.received.at(-1)?.type ?? 'nothing';
      assert.ok(!isOver, `waited ${PATIENCE_MS} ms; last received: ${last}`);
      await new Promise<void>((resolve) => this.#wakeUps.push(resolve));
    }
    clearTimeout(deadline);
  }

  #wake(): void {
    const wakeUps = this.#wakeUps;
    this.#wakeUps = [];
    for (const wakeUp of wakeUps) wakeUp();
  }
}

/** Where `delta` leads. */
export function positionOf({ base, span, proof }: Downstream<'delta'>): Position {
  return { version: asWeightsVersion(base + span), root: proof.root };
}

/** Applies what a hub sends, with every check an agent makes. Throws where an agent would refuse. */
export class Replica {
  readonly model: Model;
  weights: Float32Array = new Float32Array(0);
  head: Position | null = null;
  transfersTaken = 0;
  #snapshot: {
    readonly begin: Downstream<'snapshotBegin'>;
    readonly weights: Float32Array;
    next: number;
  } | null = null;

  constructor(model: Model) {
    this.model = model;
  }

  /** Whether `message` has completed a transfer. */
  take(message: DownstreamMessage): boolean {
    if (message.type === 'snapshotBegin') {
      this.#snapshot = { begin: message, weights: new Float32Array(this.model.elementCount), next: 0 };
      return false;
    }
    if (message.type === 'snapshotChunk') return this.#takeChunk(message);
    if (message.type !== 'delta') return false;
    assert.equal(message.base, this.head?.version, 'the delta starts where the replica is');
    applyDelta(this.weights, decodeDeltaPayload(message.payload, this.weights, this.model));
    this.#reach(positionOf(message));
    return true;
  }

  #takeChunk(chunk: Downstream<'snapshotChunk'>): boolean {
    const snapshot = this.#snapshot;
    assert.ok(snapshot !== null, 'a chunk of a begun snapshot');
    assert.equal(chunk.index, snapshot.next++, 'chunks come in order');
    const elements = snapshotChunkElements(chunk.index, this.model.elementCount);
    snapshot.weights.set(decodeSnapshotChunk(chunk.bytes, elements), chunk.index * SNAPSHOT_CHUNK_ELEMENTS);
    if (snapshot.next < snapshotChunkCount(this.model.elementCount)) return false;
    this.weights = snapshot.weights;
    this.#snapshot = null;
    this.#reach({ version: snapshot.begin.version, root: snapshot.begin.proof.root });
    return true;
  }

  #reach(position: Position): void {
    assert.equal(
      digestWeights(this.weights, this.model.digest, position.version),
      position.root,
      'the announced root comes out',
    );
    this.head = position;
    this.transfersTaken++;
  }
}

/** Connects as a proper agent: says hello with what `replica` holds, applies every transfer and acknowledges it. */
export async function follow(port: number, hello: Hello, replica: Replica): Promise<WireClient> {
  const client = await WireClient.connect(port);
  client.socket.on('message', (frame: Buffer) => {
    if (!replica.take(downstreamCodec.decode(frame))) return;
    client.send({ type: 'ack', head: replica.head!, served: replica.head, pinned: false });
  });
  client.send(hello);
  return client;
}
