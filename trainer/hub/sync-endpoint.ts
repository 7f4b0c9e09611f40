/**
 * The WebSocket endpoint: takes HTTP upgrades on SYNC_PATH and hands out sockets. All limits that `ws` can enforce
 * before a message exists are set here.
 */
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { FRAGMENTS_PER_MESSAGE_MAX, UPSTREAM_FRAME_BYTES_MAX } from '@freshet/protocol/limits';
import { SUBPROTOCOL, SYNC_PATH } from '@freshet/protocol/version';
import { type WebSocket, WebSocketServer } from 'ws';

/** Pieces of one message that may wait in memory, however small the network cuts them. */
const BUFFERED_CHUNKS_MAX = 4096;

/** Time for a connection to become a WebSocket or to have read why not. */
const UPGRADE_MS_MAX = 5000;

export interface SyncEndpointOptions {
  /** Null when connections are welcome; else why not now, sent with 503. */
  readonly refusal: () => string | null;
  readonly connected: (connection: Connection) => void;
}

export interface Connection {
  readonly socket: WebSocket;
  readonly remoteAddress: string | undefined;
  /** Bytes that have come, those of messages that are not complete among them. */
  readonly bytesRead: () => number;
}

export interface SyncEndpoint {
  /** Answers upgrades of `server` from now on; all of them, other paths with 404. */
  attach(server: Server): void;
  /** Stops answering and cuts off whoever is being refused. Sockets handed out stay open. */
  detach(): void;
}

export function createSyncEndpoint({ refusal, connected }: SyncEndpointOptions): SyncEndpoint {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: UPSTREAM_FRAME_BYTES_MAX,
    maxFragments: FRAGMENTS_PER_MESSAGE_MAX,
    maxBufferedChunks: BUFFERED_CHUNKS_MAX,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  const attached = new Set<Server>();
  // The HTTP server no longer knows a socket that has asked for an upgrade: until it is handed out it is ours to end.
  const upgrading = new Map<Duplex, NodeJS.Timeout>();
  const settle = (socket: Duplex): void => {
    clearTimeout(upgrading.get(socket));
    upgrading.delete(socket);
  };

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    socket.once('close', () => settle(socket));
    upgrading.set(
      socket,
      setTimeout(() => socket.destroy(), UPGRADE_MS_MAX),
    );
    const refused = refusalOf(request) ?? busy(refusal());
    if (refused !== null) {
      refuse(socket, refused);
      return;
    }
    server.handleUpgrade(request, socket, head, (webSocket) => {
      settle(socket);
      const { socket: peer } = request;
      connected({
        socket: webSocket,
        remoteAddress: peer.remoteAddress,
        bytesRead: () => peer.bytesRead,
      });
    });
  };

  return {
    attach(httpServer) {
      attached.add(httpServer);
      httpServer.on('upgrade', upgrade);
    },
    detach() {
      for (const httpServer of attached) httpServer.off('upgrade', upgrade);
      attached.clear();
      for (const socket of upgrading.keys()) socket.destroy();
    },
  };
}

interface Refusal {
  readonly status: number;
  readonly reason: string;
}

function refusalOf({ url, headers }: IncomingMessage): Refusal | null {
  const [path] = (url ?? '').split('?');
  if (path !== SYNC_PATH) return { status: 404, reason: `agents connect at ${SYNC_PATH}` };
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (offered.includes(SUBPROTOCOL)) return null;
  return { status: 400, reason: `offer the subprotocol ${SUBPROTOCOL}` };
}

function busy(reason: string | null): Refusal | null {
  return reason === null ? null : { status: 503, reason };
}

/** Ends both directions: a peer that never ends its own would keep the socket half open. */
function refuse(socket: Duplex, { status, reason }: Refusal): void {
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`,
  );
}
