/**
 * The trainer as a service on this machine: version log, hub, HTTP port, learner and runtime file.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ErrorCode, FreshetError } from '@freshet/protocol/errors';
import { carriesToken } from '@freshet/protocol/local/bearer-token';
import { formatTraceparent } from '@freshet/protocol/local/format';
import { startHttpServer, startingUp } from '@freshet/protocol/local/http-server';
import { drawAdminToken, RuntimeFile } from '@freshet/protocol/local/runtime-file';
import { makeStateDirectory } from '@freshet/protocol/local/state-directory';
import type { Logger } from 'pino';
import { adminApp } from '../admin/admin-app.ts';
import { createTrainerMetrics } from '../admin/trainer-metrics.ts';
import { VersionLog } from '../history/version-log.ts';
import { createHub } from '../hub/hub.ts';
import type { Signer } from '../hub/signer.ts';
import type { LearnerConfig } from '../learn/process/messages.ts';
import { learnerFailure } from './learner-failure.ts';
import { LearnerProcess, type LearnerStatus } from './learner-process.ts';
import { OutsideSamples } from './outside-samples.ts';
import {
  type PublisherIdentity,
  type PublisherOptions,
  readPublisherIdentity,
  signerOf,
} from './publisher.ts';

const CLOSE_GRACE_MS = 5_000;

export interface TrainerServiceOptions {
  readonly stateDirectory: string;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Versions to keep in the log, at least. */
  readonly keepVersions: number;
  /** Interval at which agents report. */
  readonly heartbeatMs: number;
  /** Who signs what is published; without a key nobody does. */
  readonly publisher: PublisherOptions;
  readonly learner: Omit<LearnerConfig, 'checkpointPath' | 'samplesPath' | 'signed'>;
  /** Draws a W3C trace context for each version, logs it, and passes it on to agents. */
  readonly trace: boolean;
  readonly log: Logger;
  readonly onLearnerChange: (status: LearnerStatus) => void;
}

export interface TrainerService {
  readonly url: string;
  /**
   * Resolves when training has ended without ever having published, so that there is nothing that the hub could serve,
   * or because its options are wrong.
   */
  readonly failed: Promise<FreshetError>;
  /** Checkpoints the learner, says goodbye to the agents, closes the log. */
  close(): Promise<void>;
}

/**
 * Starts the trainer. Keys are read and the port is taken before anything is written, so that a wrong one leaves no
 * trace.
 * @throws ADDRESS_IN_USE, CONFIG_INVALID, STORE_*
 */
export async function startTrainerService(options: TrainerServiceOptions): Promise<TrainerService> {
  const { stateDirectory, log, heartbeatMs } = options;
  const identity = readPublisherIdentity(options.publisher);
  let answer = startingUp;
  const http = await startHttpServer({
    fetch: (request, env) => answer(request, env),
    host: options.host,
    port: options.port,
    hostFlag: '--host',
    portFlag: '--port',
    closeGraceMs: CLOSE_GRACE_MS,
  });
  let opened: OpenedLog;
  try {
    opened = openVersionLog(stateDirectory, options.keepVersions, identity);
  } catch (error) {
    await http.close();
    throw error;
  }
  const { versionLog, signer } = opened;
  const hub = createHub({ log: versionLog, clock: Date.now, logger: log, heartbeatMs, signer });
  const metrics = createTrainerMetrics(hub, versionLog);
  const failed = Promise.withResolvers<FreshetError>();
  const samplesPath = join(stateDirectory, 'samples.db');
  const samples = new OutsideSamples({
    path: samplesPath,
    clock: Date.now,
    limits: options.learner.sampleLimits,
    onOpen: (inbox) => hub.takeSamples(inbox),
  });
  const learner = new LearnerProcess({
    config: {
      ...options.learner,
      samplesPath,
      checkpointPath: join(stateDirectory, 'learner.checkpoint'),
      signed: identity.signing !== null,
    },
    versionLog,
    log,
    onSampleFormat: (format) => samples.open(format),
    onPublished: () => hub.published(options.trace ? drawTrace(versionLog, log) : undefined),
    onChange: (status) => {
      if (status.progress !== null) metrics.learnerAt(status.progress);
      options.onLearnerChange(status);
      const failure = learnerFailure(status);
      if (failure !== null && isUseless(failure, versionLog)) failed.resolve(failure);
    },
  });
  const adminToken = drawAdminToken();
  const app = adminApp({
    log: versionLog,
    hub,
    metrics,
    learner: () => learner.status,
    inbox: () => samples.inbox,
    adminToken,
    logger: log,
  });
  answer = (request, env) => refuseOthers(request, adminToken) ?? app.fetch(request, env);
  hub.attach(http.server);
  const runtimeFile = new RuntimeFile(stateDirectory, 'trainer');
  let closing: Promise<void> | null = null;
  const close = async () => {
    runtimeFile.remove();
    await learner.stop();
    await hub.close();
    await http.close();
    samples.close();
    versionLog.close();
  };
  const closeOnce = () => {
    closing ??= close();
    return closing;
  };
  try {
    runtimeFile.write({ pid: process.pid, url: http.url, adminToken });
  } catch (error) {
    await closeOnce();
    throw error;
  }
  learner.start();
  return { url: http.url, failed: failed.promise, close: closeOnce };
}

/** A learner that fails for good leaves a hub that can serve what it has; not so what a person has just mistyped. */
function isUseless({ code }: FreshetError, versionLog: VersionLog): boolean {
  return versionLog.head() === null || code === 'CONFIG_INVALID' || code === 'MODEL_MISMATCH';
}

interface OpenedLog {
  readonly versionLog: VersionLog;
  readonly signer: Signer;
}

/** Opens the log and records who publishes to it. The log is closed again when it has another publisher. */
function openVersionLog(
  stateDirectory: string,
  keepVersions: number,
  identity: PublisherIdentity,
): OpenedLog {
  makeStateDirectory(stateDirectory);
  const versionLog = VersionLog.open(join(stateDirectory, 'versions.db'), { clock: Date.now, keepVersions });
  try {
    return { versionLog, signer: signerOf(versionLog, identity) };
  } catch (error) {
    versionLog.close();
    throw error;
  }
}

/**
 * Null, but for a request with another trainer's token: a command that has read the runtime file of a killed trainer
 * whose port is ours by now must not take us for it, not even where reading is open to all.
 */
function refuseOthers(request: Request, adminToken: string): Response | null {
  // Elsewhere, as on /metrics, the header may be meant for a proxy in between.
  if (!new URL(request.url).pathname.startsWith('/api/')) return null;
  const header = request.headers.get('authorization');
  if (!header?.startsWith('Bearer ') || carriesToken(header, adminToken)) return null;
  return Response.json(
    { error: 'this is the admin token of another trainer', code: 'CONFIG_INVALID' satisfies ErrorCode },
    { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } },
  );
}

/** A sampled root span of its own for the newest version: version 00, trace id, span id, flags. */
function drawTrace(versionLog: VersionLog, log: Logger): string {
  const traceparent = `00${randomBytes(16).toString('hex')}${randomBytes(8).toString('hex')}01`;
  const version = versionLog.head()?.version;
  log.info({ version, traceparent: formatTraceparent(traceparent) }, 'published');
  return traceparent;
}
