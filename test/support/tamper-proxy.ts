/**
 * A hostile link: a WebSocket relay between an agent and the hub that damages one delta on demand, and then holds all
 * that follows until it is told to go on, so that a test can look at the agent in between.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import { asWeightsVersion, type Position, type WeightsVersion } from '@freshet/protocol/ids';
import { DOWNSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { SUBPROTOCOL, SYNC_PATH } from '@freshet/protocol/version';
import { WebSocket, WebSocketServer } from 'ws';

export type Delta = MessageNamed<DownstreamMessage, 'delta'>;

/** The version that `delta` leads to. */
export function nextOf({ base, span }: Delta): WeightsVersion {
  return asWeightsVersion(base + span);
}

/** What the agent gets instead of one delta: frames in order. */
export type Tampering = (frame: Uint8Array, delta: Delta) => readonly Uint8Array[];

export const pass: Tampering = (frame) => [frame];
export const drop: Tampering = () => [];

/** How the agent took it: it refused, or acknowledged, or broke the connection off. */
export type Reaction =
  | { readonly kind: 'nack'; readonly code: string }
  | { readonly kind: 'ack'; readonly head: Position }
  | { readonly kind: 'closed'; readonly closeCode: number };

interface Attack {
  /** One for each delta to come. */
  readonly tamperings: Tampering[];
  /** The first delta that was tampered with. */
  delta: Delta | null;
  readonly reacted: (blow: Blow) => void;
}

export interface Blow {
  /** The first delta that was tampered with, as it was. */
  readonly delta: Delta;
  readonly reaction: Reaction;
}

export class TamperProxy {
  readonly url: string;
  readonly #hubUrl: string;
  #attack: Attack | null = null;
  #isHolding = false;
  #held: (() => void)[] = [];

  static async start(test: TestContext, hubUrl: string): Promise<TamperProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TamperProxy(server, hubUrl);
    test.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return proxy;
  }

  private constructor(server: Server, hubUrl: string) {
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#hubUrl = hubUrl.replace(/^http/, 'ws') + SYNC_PATH;
    const agents = new WebSocketServer({ server, path: SYNC_PATH });
    agents.on('connection', (agent) => this.#relay(agent));
  }

  /**
   * Does `tamperings` to the next deltas, one each. Resolves with the agent's reaction; after the last of them nothing
   * passes to the agent until `release`.
   */
  strike(...tamperings: Tampering[]): Promise<Blow> {
    const { promise, resolve } = Promise.withResolvers<Blow>();
    this.#attack = { tamperings, delta: null, reacted: resolve };
    return promise;
  }

  release(): void {
    this.#isHolding = false;
    const held = this.#held;
    this.#held = [];
    for (const send of held) send();
  }

  #relay(agent: WebSocket): void {
    const hub = new WebSocket(this.#hubUrl, SUBPROTOCOL, { maxPayload: DOWNSTREAM_FRAME_BYTES_MAX });
    // A hub that is not ready ends both connections; what the agent has sent by then is lost with them.
    const opened = once(hub, 'open').catch(() => null);
    hub.on('message', (frame: Buffer) => this.#downstream(agent, frame));
    agent.on('message', (frame: Buffer) => {
      void opened.then((event) => event !== null && hub.send(frame));
      this.#upstream(frame);
    });
    hub.on('close', () => agent.terminate());
    hub.on('error', () => agent.terminate());
    agent.on('close', (closeCode) => {
      this.#react({ kind: 'closed', closeCode });
      hub.terminate();
    });
  }

  #downstream(agent: WebSocket, frame: Buffer): void {
    const message = downstreamCodec.decode(frame);
    const attack = this.#attack;
    if (attack !== null && !this.#isHolding && message.type === 'delta') {
      attack.delta ??= message;
      const tampering = attack.tamperings.shift() ?? pass;
      this.#isHolding = attack.tamperings.length === 0;
      for (const each of tampering(frame, message)) agent.send(each);
    } else if (this.#isHolding) {
      this.#held.push(() => agent.send(frame));
    } else {
      agent.send(frame);
    }
  }

  #upstream(frame: Buffer): void {
    if (!this.#isHolding) return;
    const message = upstreamCodec.decode(frame);
    if (message.type === 'nack') this.#react({ kind: 'nack', code: message.code });
    if (message.type === 'ack') this.#react({ kind: 'ack', head: message.head });
  }

  #react(reaction: Reaction): void {
    const attack = this.#attack;
    if (!this.#isHolding || attack === null || attack.delta === null) return;
    // Of an earlier version, and only now on its way.
    if (reaction.kind === 'ack' && reaction.head.version < nextOf(attack.delta)) return;
    attack.reacted({ delta: attack.delta, reaction });
    this.#attack = null;
  }
}
