/**
 * A man in the middle who is after roll-backs: a WebSocket relay between an agent and its hub that can take the
 * signature off orders, and send one again that it has seen.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import { DOWNSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { SUBPROTOCOL, SYNC_PATH } from '@freshet/protocol/version';
import { WebSocket, WebSocketServer } from 'ws';

export class OrderRelay {
  readonly url: string;
  /** Orders as the hub has sent them. */
  readonly orders: MessageNamed<DownstreamMessage, 'command'>[] = [];
  /** What the agent has answered to them, of all connections. */
  readonly answers: MessageNamed<UpstreamMessage, 'commandResult'>[] = [];
  /** With which codes the agent has ended its connections. */
  readonly closeCodes: number[] = [];
  /** Whether orders lose their signature. */
  strips = false;
  #agent: WebSocket | null = null;

  static async start(test: TestContext, hubUrl: string): Promise<OrderRelay> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const relay = new OrderRelay((server.address() as AddressInfo).port);
    const agents = new WebSocketServer({ server, path: SYNC_PATH });
    agents.on('connection', (agent) => relay.#join(agent, hubUrl.replace(/^http/, 'ws') + SYNC_PATH));
    test.after(() => {
      for (const agent of agents.clients) agent.terminate();
      server.close();
    });
    return relay;
  }

  private constructor(port: number) {
    this.url = `ws://127.0.0.1:${port}`;
  }

  /** Says `message` to the agent as if the hub did. */
  inject(message: DownstreamMessage): void {
    this.#agent?.send(downstreamCodec.encode(message));
  }

  #join(agent: WebSocket, hubUrl: string): void {
    this.#agent = agent;
    const hub = new WebSocket(hubUrl, SUBPROTOCOL, { maxPayload: DOWNSTREAM_FRAME_BYTES_MAX });
    // A hub that is not there ends both connections; what the agent has sent by then is lost with them.
    const opened = once(hub, 'open').catch(() => null);
    hub.on('message', (frame: Buffer) => agent.send(this.#downstream(frame)));
    hub.on('close', () => agent.terminate());
    hub.on('error', () => agent.terminate());
    agent.on('message', (frame: Buffer) => {
      const message = upstreamCodec.decode(frame);
      if (message.type === 'commandResult') this.answers.push(message);
      void opened.then((event) => event !== null && hub.send(frame));
    });
    agent.on('close', (closeCode) => {
      this.closeCodes.push(closeCode);
      hub.terminate();
    });
  }

  #downstream(frame: Buffer): Uint8Array {
    const message = downstreamCodec.decode(frame);
    if (message.type !== 'command') return frame;
    this.orders.push(message);
    return this.strips ? downstreamCodec.encode({ ...message, signature: null }) : frame;
  }
}
