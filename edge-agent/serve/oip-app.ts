/**
 * The Open Inference Protocol v2 over HTTP with JSON tensors. A model version is a weights version; any stored one can
 * be asked about, only the served one answers inferences, and each answer names the version that computed it.
 * https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
 *
 * Paths are about one model, so a request that names another gets 404; 503 with Retry-After says that waiting helps.
 */
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import type { Position, WeightsVersion } from '@freshet/protocol/ids';
import { type Context, Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { parseInferRequest, type RequestLimits } from '../core/oip-request.ts';
import { inferResponse, modelMetadata } from '../core/oip-response.ts';
import type { ModelSignature } from '../core/tensor.ts';
import { readBody } from './http-body.ts';
import type { InferRequest, InferResult } from './predictor.ts';

/** What the app asks of the agent. Everything but `infer` is a look at the present state. */
export interface InferenceService {
  /** Null until the agent has a model. */
  readonly modelId: string | null;
  /** What answers now. */
  served(): Position | null;
  /** All stored versions. */
  versions(): readonly WeightsVersion[];
  /** Of the served model. */
  signature(): ModelSignature | null;
  /** As `Predictor.infer`. */
  infer(request: InferRequest): Promise<InferResult>;
}

export interface OipAppOptions extends RequestLimits {
  readonly serverName: string;
  readonly serverVersion: string;
  readonly bodyBytesMax: number;
  /** Called for each inference request that was answered, whatever the answer. */
  readonly onInference: (httpStatus: number, seconds: number) => void;
  /** Called with what is not a FreshetError: a bug. The client gets a bare 500. */
  readonly onBug: (error: unknown) => void;
}

export const OIP_LIMIT_DEFAULTS = { bodyBytesMax: 32 * 1024 * 1024, elementCountMax: 4 * 1024 * 1024 };

const RETRY_AFTER_SECONDS = '1';

const STATUS_OF_ERROR: Partial<Record<ErrorCode, 400 | 503>> = {
  INPUT_INVALID: 400,
  NOT_READY: 503,
};

/** The model that a path names, once it is known to be ours and warm. */
interface WarmModel {
  readonly modelId: string;
  readonly served: Position;
  readonly signature: ModelSignature;
}

export function oipApp(service: InferenceService, options: OipAppOptions): Hono {
  const app = new Hono();
  addHealth(app, service);
  addMetadata(app, service, options);
  addInference(app, service, options);
  app.notFound((context) =>
    failure(context, 404, `no such endpoint: ${context.req.method} ${context.req.path}`),
  );
  app.onError((error, context) => {
    if (error instanceof HTTPException) return failure(context, error.status, error.message);
    if (error instanceof FreshetError) {
      return failure(context, STATUS_OF_ERROR[error.code] ?? 500, error.message);
    }
    options.onBug(error);
    return failure(context, 500, 'internal error');
  });
  return app;
}

function addHealth(app: Hono, service: InferenceService): void {
  app.get('/v2/health/live', (context) => context.json({ live: true }));
  app.get('/v2/health/ready', (context) => {
    const ready = service.served() !== null;
    return context.json({ ready }, ready ? 200 : 503);
  });
  app.get('/v2/models/:model/ready', (context) => {
    const name = requireModel(service, context.req.param('model'));
    const ready = service.served() !== null;
    return context.json({ name, ready }, ready ? 200 : 503);
  });
  app.get('/v2/models/:model/versions/:version/ready', (context) => {
    const name = requireModel(service, context.req.param('model'));
    const version = requireStored(service, context.req.param('version'));
    const ready = service.served()?.version === version;
    return context.json({ name, ready }, ready ? 200 : 503);
  });
}

function addMetadata(app: Hono, service: InferenceService, options: OipAppOptions): void {
  const { serverName: name, serverVersion: version } = options;
  app.get('/v2', (context) => context.json({ name, version, extensions: [] }));
  app.get('/v2/models/:model', (context) =>
    context.json(metadataOf(requireWarm(service, context.req.param('model')))),
  );
  app.get('/v2/models/:model/versions/:version', (context) => {
    const model = requireWarm(service, context.req.param('model'));
    requireStored(service, context.req.param('version'));
    return context.json(metadataOf(model));
  });
  const metadataOf = ({ modelId, served, signature }: WarmModel) =>
    modelMetadata(modelId, service.versions(), served, signature);
}

function addInference(app: Hono, service: InferenceService, options: OipAppOptions): void {
  const measured = createMiddleware(async (context, next) => {
    const startMs = performance.now();
    await next();
    options.onInference(context.res.status, (performance.now() - startMs) / 1000);
  });
  app.post('/v2/models/:model/infer', measured, (context) => infer(context, context.req.param('model')));
  app.post('/v2/models/:model/versions/:version/infer', measured, (context) =>
    infer(context, context.req.param('model'), context.req.param('version')),
  );
  const infer = async (context: Context, modelId: string, version?: string): Promise<Response> => {
    const model = requireWarm(service, modelId);
    if (version !== undefined) requireServed(model.served, requireStored(service, version));
    if (context.req.header('Inference-Header-Content-Length') !== undefined) {
      throw new HTTPException(400, {
        message: 'binary tensor data is not supported; send the tensors as JSON',
      });
    }
    const body = await readBody(context.req.raw, options.bodyBytesMax);
    const request = parseInferRequest(body, model.signature, options);
    const { position, outputs } = await service.infer(request);
    // It may have been replaced since it was checked above.
    if (version !== undefined) requireServed(position, requireStored(service, version));
    context.header('Freshet-Weights-Version', String(position.version));
    context.header('Freshet-Weights-Root', position.root);
    return context.json(inferResponse(model.modelId, position, outputs, request.id));
  };
}

function requireModel(service: InferenceService, name: string): string {
  const { modelId } = service;
  if (modelId === null) throw new FreshetError('NOT_READY', 'no model has arrived yet; try again soon');
  if (modelId === name) return modelId;
  throw new HTTPException(404, { message: `no model "${name}" here; this device serves "${modelId}"` });
}

function requireWarm(service: InferenceService, name: string): WarmModel {
  const modelId = requireModel(service, name);
  const served = service.served();
  const signature = service.signature();
  if (served === null || signature === null) {
    throw new FreshetError('NOT_READY', 'no weights are loaded yet; try again soon');
  }
  return { modelId, served, signature };
}

function requireStored(service: InferenceService, text: string): WeightsVersion {
  const stored = service.versions().find((version) => String(version) === text);
  if (stored !== undefined) return stored;
  const served = service.served();
  const hint = served === null ? '' : `; version ${served.version} is served`;
  throw new HTTPException(404, { message: `version "${text}" is not stored here${hint}` });
}

function requireServed(served: Position, version: WeightsVersion): void {
  if (served.version === version) return;
  throw new HTTPException(404, {
    message: `version ${version} is stored but does not answer; version ${served.version} is served`,
  });
}

function failure(context: Context, status: ContentfulStatusCode, message: string): Response {
  if (status === 503) context.header('Retry-After', RETRY_AFTER_SECONDS);
  return context.json({ error: message }, status);
}
