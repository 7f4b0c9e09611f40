/**
 * A link that breaks in the middle of snapshots: a WebSocket relay between an agent and the hub that ends each connection
 * where a test says, and keeps what was said on it.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import { DOWNSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { SUBPROTOCOL, SYNC_PATH } from '@freshet/protocol/version';
import { WebSocket, WebSocketServer } from 'ws';

/** Where a connection ends. */
export interface Cut {
  /** Chunks of a snapshot that pass on it. */
  readonly chunkCount: number;
  /** Whether the first half of the next chunk passes as well. */
  readonly inChunk: boolean;
}

/** What passed on one connection. */
export interface Passed {
  hello: MessageNamed<UpstreamMessage, 'hello'> | null;
  readonly messages: DownstreamMessage[];
  readonly nacks: string[];
}

export class CuttingProxy {
  readonly url: string;
  /** Oldest first. */
  readonly connections: Passed[] = [];
  /** One for each connection to come; those after the last one are not cut. */
  readonly cuts: Cut[] = [];
  /** What the agent gets instead of a message. */
  rewrite: (message: DownstreamMessage) => DownstreamMessage = (message) => message;
  readonly #hubUrl: () => string;

  /** `hubPort` is asked for each connection, as a hub that starts again has another one. */
  static async start(test: TestContext, hubPort: () => number): Promise<CuttingProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    test.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return new CuttingProxy(server, () => `ws://127.0.0.1:${hubPort()}${SYNC_PATH}`);
  }

  private constructor(server: Server, hubUrl: () => string) {
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#hubUrl = hubUrl;
    const agents = new WebSocketServer({ server, path: SYNC_PATH });
    agents.on('connection', (agent) => this.#relay(agent));
  }

  #relay(agent: WebSocket): void {
    const passed: Passed = { hello: null, messages: [], nacks: [] };
    this.connections.push(passed);
    const cut = this.cuts.shift() ?? null;
    const hub = new WebSocket(this.#hubUrl(), SUBPROTOCOL, { maxPayload: DOWNSTREAM_FRAME_BYTES_MAX });
    const opened = once(hub, 'open').catch(() => null);
    let isCut = false;
    hub.on('message', (frame: Buffer) => {
      if (isCut) return;
      const message = this.rewrite(downstreamCodec.decode(frame));
      isCut = message.type === 'snapshotChunk' && chunksOf(passed).length === cut?.chunkCount;
      if (isCut) {
        cutOff(agent, cut?.inChunk === true ? frame.subarray(0, frame.length / 2) : null);
        return;
      }
      passed.messages.push(message);
      agent.send(downstreamCodec.encode(message));
    });
    agent.on('message', (frame: Buffer) => {
      const message = upstreamCodec.decode(frame);
      if (message.type === 'hello') passed.hello = message;
      if (message.type === 'nack') passed.nacks.push(message.code);
      void opened.then((event) => event !== null && hub.send(frame));
    });
    hub.on('close', () => agent.terminate());
    hub.on('error', () => agent.terminate());
    agent.on('close', () => hub.terminate());
    agent.on('error', () => hub.terminate());
  }
}

/** Ends the connection once the agent has taken in all that was sent before, and `fragment` of a message. */
function cutOff(agent: WebSocket, fragment: Uint8Array | null): void {
  if (fragment !== null) agent.send(fragment, { binary: true, fin: false });
  // Answered in turn, also in the middle of a message.
  agent.once('pong', () => agent.terminate());
  agent.ping();
}

/** Numbers of the chunks that passed. */
export function chunksOf({ messages }: Passed): number[] {
  return messages.flatMap((message) => (message.type === 'snapshotChunk' ? [message.index] : []));
}

/** Version and first chunk of each snapshot that was begun. */
export function beginsOf({ messages }: Passed): [version: number, firstChunk: number][] {
  return messages.flatMap((message) =>
    message.type === 'snapshotBegin' ? [[message.version, message.firstChunk]] : [],
  );
}
