/**
 * A hub on a real port of the loopback, with a real log in a folder of its own and a learner that publishes when told.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Position } from '@freshet/protocol/ids';
import type { Model } from '@freshet/protocol/model';
import type { SigningKey } from '@freshet/protocol/signature';
import pino from 'pino';
import { VersionLog, type VersionLogOptions } from '../../trainer/history/version-log.ts';
import { createHub, type Hub, type HubOptions } from '../../trainer/hub/hub.ts';
import { KeySigner, UNSIGNED } from '../../trainer/hub/signer.ts';
import { FakeLearner } from './hub-model.ts';

type Settings = Partial<
  Pick<HubOptions, 'heartbeatMs' | 'helloTimeoutMs' | 'sessionsMax' | 'agentsMax' | 'catchUpLimits'> &
    Pick<VersionLogOptions, 'keyframeEvery' | 'keepVersions'>
> & { readonly signingKey?: SigningKey };

export class HubHarness {
  readonly model: Model;
  readonly learner: FakeLearner;
  readonly #directory = mkdtempSync(join(tmpdir(), 'freshet-hub-'));
  readonly #settings: Settings;
  #running: { log: VersionLog; hub: Hub; server: Server; port: number } | null = null;

  /** Not running yet. `heartbeatMs` is long where a test does not set it, so that nobody falls silent. */
  constructor(model: Model, seed: number, settings: Settings = {}) {
    this.model = model;
    this.learner = new FakeLearner(model, seed);
    this.#settings = settings;
  }

  get log(): VersionLog {
    return this.#live().log;
  }

  get hub(): Hub {
    return this.#live().hub;
  }

  get port(): number {
    return this.#live().port;
  }

  get server(): Server {
    return this.#live().server;
  }

  /** Starts the hub on the log as it is; `firstVersion`: with version 1 where the log is empty. */
  async start({ firstVersion = true } = {}): Promise<void> {
    const clock = () => 1_700_000_000_000;
    const path = join(this.#directory, 'versions.db');
    const log = VersionLog.open(path, { clock, lockWaitMs: 0, ...this.#settings });
    if (firstVersion && log.head() === null) this.learner.start(log);
    const { signingKey } = this.#settings;
    const hub = createHub({
      log,
      signer: signingKey === undefined ? UNSIGNED : new KeySigner(signingKey, log.lineId, []),
      clock,
      logger: pino({ level: 'silent' }),
      heartbeatMs: 60_000,
      ...this.#settings,
    });
    const server = createServer();
    hub.attach(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#running = { log, hub, server, port: (server.address() as AddressInfo).port };
  }

  /** Publishes one version and tells the hub. */
  publish(changeCount = 20): Position {
    const position = this.learner.publish(this.log, changeCount);
    this.hub.published();
    return position;
  }

  /** Stops the hub; the log's file stays. */
  async stop(): Promise<void> {
    const { hub, server, log } = this.#live();
    this.#running = null;
    await hub.close();
    await new Promise((resolve) => server.close(resolve));
    log.close();
  }

  /** Stops the hub where it runs and removes the log's file. */
  async remove(): Promise<void> {
    if (this.#running !== null) await this.stop();
    rmSync(this.#directory, { recursive: true });
  }

  #live() {
    if (this.#running === null) throw new Error('the hub does not run');
    return this.#running;
  }
}
