/**
 * The trainer as a service on this machine: version log, hub, HTTP port, learner and runtime file.
 */
import { join } from 'node:path';
import { startHttpServer, startingUp } from '@freshet/protocol/local/http-server';
import { drawAdminToken, RuntimeFile } from '@freshet/protocol/local/runtime-file';
import { makeStateDirectory } from '@freshet/protocol/local/state-directory';
import type { Logger } from 'pino';
import { adminApp } from '../admin/admin-app.ts';
import { createTrainerMetrics } from '../admin/trainer-metrics.ts';
import { VersionLog } from '../history/version-log.ts';
import { createHub } from '../hub/hub.ts';
import type { LearnerConfig } from '../learn/process/messages.ts';
import { LearnerProcess, type LearnerStatus } from './learner-process.ts';

const CLOSE_GRACE_MS = 5_000;

export interface TrainerServiceOptions {
  readonly stateDirectory: string;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Interval at which agents report. */
  readonly heartbeatMs: number;
  readonly learner: Omit<LearnerConfig, 'checkpointPath'>;
  readonly log: Logger;
  readonly onLearnerChange: (status: LearnerStatus) => void;
}

export interface TrainerService {
  readonly url: string;
  /** Checkpoints the learner, says goodbye to the agents, closes the log. */
  close(): Promise<void>;
}

/**
 * Starts the trainer. The port is taken before anything is written, so that a wrong one leaves no trace.
 * @throws ADDRESS_IN_USE, CONFIG_INVALID, STORE_*
 */
export async function startTrainerService(options: TrainerServiceOptions): Promise<TrainerService> {
  let answer = startingUp;
  const http = await startHttpServer({
    fetch: (request, env) => answer(request, env),
    host: options.host,
    port: options.port,
    hostFlag: '--host',
    portFlag: '--port',
    closeGraceMs: CLOSE_GRACE_MS,
  });
  try {
    const { stateDirectory, log } = options;
    makeStateDirectory(stateDirectory);
    const versionLog = VersionLog.open(join(stateDirectory, 'versions.db'), { clock: Date.now });
    const hub = createHub({
      log: versionLog,
      clock: Date.now,
      logger: log,
      heartbeatMs: options.heartbeatMs,
    });
    const metrics = createTrainerMetrics(hub, versionLog);
    const learner = new LearnerProcess({
      config: { ...options.learner, checkpointPath: join(stateDirectory, 'learner.checkpoint') },
      versionLog,
      log,
      onPublished: () => hub.published(),
      onChange: (status) => {
        if (status.progress !== null) metrics.learnerAt(status.progress);
        options.onLearnerChange(status);
      },
    });
    const adminToken = drawAdminToken();
    answer = adminApp({
      log: versionLog,
      hub,
      metrics,
      learner: () => learner.status,
      adminToken,
      logger: log,
    }).fetch;
    hub.attach(http.server);
    const runtimeFile = new RuntimeFile(stateDirectory, 'trainer');
    runtimeFile.write({ pid: process.pid, url: http.url, adminToken });
    learner.start();
    let closing: Promise<void> | null = null;
    const close = async () => {
      runtimeFile.remove();
      await learner.stop();
      await hub.close();
      await http.close();
      versionLog.close();
    };
    return {
      url: http.url,
      close() {
        closing ??= close();
        return closing;
      },
    };
  } catch (error) {
    await http.close();
    throw error;
  }
}
