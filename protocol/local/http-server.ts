/** Listens on HTTP, and stops without cutting anyone off. */
import { createServer, Server, type ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { assert } from '../assert.ts';
import { type ErrorCode, FreshetError } from '../errors.ts';

export interface HttpServerOptions {
  readonly fetch: Hono['fetch'];
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The options that set host and port, for error messages ("--http-port"). */
  readonly hostFlag: string;
  readonly portFlag: string;
  /** How long `close` waits for answers under way before it cuts them off. */
  readonly closeGraceMs: number;
}

export interface HttpServer {
  /** For what is not HTTP: WebSocket upgrades. */
  readonly server: Server;
  /** The port it really listens on. */
  readonly port: number;
  readonly url: string;
  /** Accepts no more connections, lets answers under way finish, then ends the connections. */
  close(): Promise<void>;
}

/** Answers while a process has its port but not yet what it answers with. */
export const startingUp: Hono['fetch'] = () =>
  Response.json(
    { error: 'starting up; try again soon', code: 'NOT_READY' satisfies ErrorCode },
    { status: 503, headers: { 'Retry-After': '1' } },
  );

/** @throws ADDRESS_IN_USE, CONFIG_INVALID when the address is not ours to listen on. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, fetch } = options;
  const server = createAdaptorServer({ fetch, createServer });
  assert(server instanceof Server, 'createServer of node:http makes a Server');
  const closing = trackResponses(server);
  await listen(server, options);
  const address = server.address();
  assert(address !== null && typeof address === 'object', 'a listening TCP server has an address');
  let closed: Promise<void> | null = null;
  return {
    server,
    port: address.port,
    url: `http://${isIPv6(host) ? `[${host}]` : host}:${address.port}`,
    close() {
      closed ??= closeGracefully(server, closing, options.closeGraceMs);
      return closed;
    },
  };
}

function listen(server: Server, { host, port, hostFlag, portFlag }: HttpServerOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const refuse = (cause: NodeJS.ErrnoException): void => {
    const error =
      cause.code === 'EADDRINUSE'
        ? new FreshetError(
            'ADDRESS_IN_USE',
            `port ${port} on ${host} is in use; choose another with ${portFlag}`,
            {
              cause,
              details: { host, port },
            },
          )
        : new FreshetError(
            'CONFIG_INVALID',
            `cannot listen on ${host} port ${port} (${cause.code ?? cause.message}); change ${hostFlag} or ${portFlag}`,
            { cause, details: { host, port } },
          );
    reject(error);
  };
  server.once('error', refuse);
  server.listen(port, host, () => {
    server.off('error', refuse);
    resolve();
  });
  return promise;
}

/** Keeps the set of responses under way; once told, none of them, nor a later one, keeps its connection alive. */
function trackResponses(server: Server): () => void {
  const underWay = new Set<ServerResponse>();
  let isClosing = false;
  server.prependListener('request', (_request, response) => {
    if (isClosing) response.shouldKeepAlive = false;
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
  });
  return () => {
    isClosing = true;
    for (const response of underWay) response.shouldKeepAlive = false;
  };
}

async function closeGracefully(server: Server, stopKeepAlive: () => void, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stopKeepAlive();
  // Ends idle connections too; those in use end with their answer.
  server.close(() => resolve());
  const deadline = setTimeout(() => server.closeAllConnections(), graceMs);
  await promise;
  clearTimeout(deadline);
}
