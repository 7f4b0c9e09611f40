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

export interface SyncEndpointOptions {
  /** Null when connections are welcome; else why not now, sent with 503. */
  readonly refusal: () => string | null;
  readonly connected: (socket: WebSocket, remoteAddress: string | undefined) => void;
}

export interface SyncEndpoint {
  /** Answers upgrades of `server` from now on; all of them, other paths with 404. */
  attach(server: Server): void;
  /** Stops answering. Sockets handed out stay open. */
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

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    const refused = refusalOf(request) ?? busy(refusal());
    if (refused !== null) {
      refuse(socket, refused);
      return;
    }
    server.handleUpgrade(request, socket, head, (webSocket) => {
      connected(webSocket, request.socket.remoteAddress);
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

function refuse(socket: Duplex, { status, reason }: Refusal): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`,
  );
}
