/** What tests of serving share: made-up positions and patches, and real predictors and servers that are closed again. */
import type { SparseDelta } from '@freshet/protocol/delta';
import { FreshetError } from '@freshet/protocol/errors';
import { asRoot, asWeightsVersion, type Position } from '@freshet/protocol/ids';
import {
  type HttpServer,
  type HttpServerOptions,
  startHttpServer,
} from '@freshet/protocol/local/http-server';
import type { Hono } from 'hono';
import { PREDICTOR_DEFAULTS, WorkerPredictor } from '../../edge-agent/serve/predictor.ts';

/** A position whose root repeats its version, so that a mix-up shows. */
export function positionOf(version: number): Position {
  return { version: asWeightsVersion(version), root: asRoot(String(version).padStart(64, '0')) };
}

export function patchOf(indices: readonly number[], values: readonly number[]): SparseDelta {
  return {
    indices: Uint32Array.from(indices),
    valueBits: new Uint32Array(Float32Array.from(values).buffer),
  };
}

/** What a test must close, done even when it fails: an open thread or socket would keep the process alive. */
export interface Cleanup {
  after(action: () => Promise<void> | void): unknown;
}

/** A predictor whose thread must not die. */
export function startPredictor(
  cleanup: Cleanup,
  options: { pendingInferencesMax?: number } = {},
): WorkerPredictor {
  const predictor = new WorkerPredictor({
    ...PREDICTOR_DEFAULTS,
    onFailure: (error) => {
      throw error;
    },
    ...options,
  });
  cleanup.after(() => predictor.close());
  return predictor;
}

/** An HTTP server on a free port of the loopback. */
export async function startServer(
  cleanup: Cleanup,
  app: Hono,
  options: Partial<HttpServerOptions> = {},
): Promise<HttpServer> {
  const server = await startHttpServer({
    fetch: app.fetch,
    host: '127.0.0.1',
    port: 0,
    hostFlag: '--host',
    portFlag: '--http-port',
    closeGraceMs: 1000,
    ...options,
  });
  cleanup.after(() => server.close());
  return server;
}

/** For `assert.throws` and `assert.rejects`: a FreshetError with this code and one-line message. */
export function freshetError(code: string, message: string | RegExp): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof FreshetError)) return false;
    const isMatch =
      typeof message === 'string' ? error.message.includes(message) : message.test(error.message);
    if (error.code === code && isMatch && !error.message.includes('\n')) return true;
    throw new Error(`expected ${code} "${message}", got ${error.code} "${error.message}"`);
  };
}
