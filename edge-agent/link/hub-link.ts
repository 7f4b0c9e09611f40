/**
 * The connection to the hub: one WebSocket at a time, opened again with a growing pause for as long as the agent
 * runs. Frames in, frames out; what they mean is the session's business. A hub that refuses this agent (another model,
 * another line, an unsupported protocol) is asked again seldom: somebody has to mend it first.
 */
import { downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import { ERROR_TRAITS, errorCodeOfClose, FreshetError } from '@freshet/protocol/errors';
import { DOWNSTREAM_FRAME_BYTES_MAX, FRAGMENTS_PER_MESSAGE_MAX } from '@freshet/protocol/limits';
import type { UpstreamMessage } from '@freshet/protocol/messages';
import { SUBPROTOCOL, SYNC_PATH } from '@freshet/protocol/version';
import type { Logger } from 'pino';
import { type RawData, WebSocket } from 'ws';
import { backoffDelayMs, RECONNECT_BACKOFF } from '../core/backoff.ts';
import type { SessionPorts } from '../core/session-ports.ts';
import { SilenceWatch } from '../core/silence-watch.ts';
import type { SnapshotAssembly } from '../core/snapshot-assembly.ts';
import { SyncSession } from '../core/sync-session.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const WELCOME_TIMEOUT_MS_DEFAULT = 10_000;
/** For the hub to answer the close frame. */
const CLOSE_TIMEOUT_MS = 1000;
/** A hub that refuses this agent may be repaired: so it is asked again, seldom. */
const REFUSED_RETRY_MS = 300_000;
/** As after so many failures in a row: 13 s on average. Two devices with one id would push each other out for ever. */
const REPLACED_FAILURES = 8;

/** A hub that asks for more gets no more. */
const HEARTBEAT_MS_MIN = 10;

/** Attempts that find a hub without a version make the pause grow to 1.6 s and no further. */
const NOT_READY_FAILURES_MAX = 3;

export type LinkState = 'connecting' | 'live' | 'waiting' | 'refused' | 'closed';

export interface HubLinkOptions {
  /** From `syncUrlOf`. */
  readonly syncUrl: string;
  readonly log: Logger;
  readonly random: () => number;
  readonly ports: Omit<SessionPorts, 'send' | 'onWelcome'>;
  /** Requests answered since the process started, for the heartbeat. */
  inferenceRequests(): number;
  onStateChange(state: LinkState): void;
  /** From `hello` to `welcome`. */
  readonly welcomeTimeoutMs?: number;
}

export class HubLink {
  readonly #options: HubLinkOptions;
  #state: LinkState = 'closed';
  #socket: WebSocket | null = null;
  #session: SyncSession | null = null;
  /** What the last session has left of a snapshot, for the next one. */
  #partial: SnapshotAssembly | null = null;
  #failures = 0;
  #reconnect: NodeJS.Timeout | null = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #welcomeDeadline: NodeJS.Timeout | null = null;
  /** Bytes read from sockets that have ended. */
  #bytesOfEnded = 0;
  #bytesOfCurrent: () => number = () => 0;
  #silence = new SilenceWatch();
  #refusal: FreshetError | null = null;

  constructor(options: HubLinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Why the hub will not have this agent, when state is `refused`. */
  get refusal(): FreshetError | null {
    return this.#refusal;
  }

  /** Bytes read from the network by this process, WebSocket and HTTP upgrade included. */
  get bytesReceived(): number {
    return this.#bytesOfEnded + this.#bytesOfCurrent();
  }

  get session(): SyncSession | null {
    return this.#session;
  }

  open(): void {
    this.#connect();
  }

  /** Ends the connection and all attempts. Resolves when the socket is gone; nothing is reported from here on. */
  async close(): Promise<void> {
    if (this.#reconnect !== null) clearTimeout(this.#reconnect);
    this.#stopTimers();
    this.#enter('closed');
    this.#endSession();
    const socket = this.#socket;
    if (socket === null) return;
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    socket.once('close', () => resolve());
    socket.close(1001, 'agent is shutting down');
    const deadline = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
    await gone;
    clearTimeout(deadline);
  }

  #connect(): void {
    this.#reconnect = null;
    this.#enter('connecting');
    const socket = new WebSocket(this.#options.syncUrl, SUBPROTOCOL, {
      perMessageDeflate: false,
      maxPayload: DOWNSTREAM_FRAME_BYTES_MAX,
      maxFragments: FRAGMENTS_PER_MESSAGE_MAX,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#socket = socket;
    let lastError: Error | null = null;
    socket.on('upgrade', (response) => {
      this.#bytesOfCurrent = () => response.socket.bytesRead;
    });
    socket.on('open', () => this.#begin(socket));
    socket.on('unexpected-response', (_request, response) => {
      // The hub is there and has no version yet: waiting longer each time would only miss the first one.
      if (response.statusCode === 503) this.#failures = Math.min(this.#failures, NOT_READY_FAILURES_MAX);
      lastError = new Error(`the hub answers with HTTP status ${response.statusCode}`);
      socket.terminate();
    });
    socket.on('message', (data, isBinary) => this.#receive(socket, data, isBinary));
    socket.on('pong', () => this.#silence.heard());
    socket.on('error', (error) => {
      lastError ??= error;
    });
    socket.on('close', (code, reason) => this.#ended(code, reason.toString() || lastError?.message || ''));
  }

  #begin(socket: WebSocket): void {
    const { ports, welcomeTimeoutMs = WELCOME_TIMEOUT_MS_DEFAULT } = this.#options;
    this.#welcomeDeadline = setTimeout(() => socket.terminate(), welcomeTimeoutMs);
    const sessionPorts: SessionPorts = {
      ...ports,
      send: (message) => send(socket, message),
      onAdvanced: (previous, delta, arrival) => {
        this.#failures = 0;
        ports.onAdvanced(previous, delta, arrival);
      },
      onWelcome: (welcome) => {
        this.#stopTimers();
        this.#refusal = null;
        this.#options.log.info(
          { head: welcome.head.version, model: welcome.modelId },
          'connected to the hub',
        );
        this.#enter('live');
        this.#startHeartbeat(welcome.heartbeatMs);
      },
    };
    const session = new SyncSession(sessionPorts, this.#partial);
    this.#session = session;
    send(socket, session.hello());
  }

  #receive(socket: WebSocket, raw: RawData, isBinary: boolean): void {
    if (socket.readyState !== WebSocket.OPEN || this.#session === null) return;
    this.#silence.heard();
    try {
      if (!isBinary) throw new FreshetError('FRAME_MALFORMED', 'a text message; the protocol is binary');
      this.#session.receive(downstreamCodec.decode(bytesOf(raw)));
    } catch (error) {
      if (!(error instanceof FreshetError) || error.action === 'crash') throw error;
      this.#fail(socket, error);
    }
  }

  /** Ends the connection because of `error`; the attempts too, where they cannot help. */
  #fail(socket: WebSocket, error: FreshetError): void {
    if (error.action === 'refuse') this.#refusal = error;
    this.#options.ports.onRefused(error.code);
    socket.close(ERROR_TRAITS[error.code].closeCode ?? 1011, error.code);
  }

  #ended(code: number, reason: string): void {
    this.#bytesOfEnded += this.#bytesOfCurrent();
    this.#bytesOfCurrent = () => 0;
    this.#socket = null;
    this.#endSession();
    this.#stopTimers();
    if (this.#state === 'closed') return;
    this.#refusal ??= refusalOfClose(code, reason);
    if (this.#refusal !== null) {
      this.#waitAfterRefusal(this.#refusal);
      return;
    }
    this.#failures++;
    if (code === ERROR_TRAITS.AGENT_REPLACED.closeCode) {
      this.#failures = Math.max(this.#failures, REPLACED_FAILURES);
      this.#options.log.error(
        'another device has connected under the id of this one: give each its own --id',
      );
    }
    const delayMs = backoffDelayMs(this.#failures, this.#options.random, RECONNECT_BACKOFF);
    this.#options.log.info(
      { code, reason, delayMs: Math.round(delayMs) },
      'no connection to the hub; will try again',
    );
    this.#enter('waiting');
    this.#reconnect = setTimeout(() => this.#connect(), delayMs);
  }

  #endSession(): void {
    const session = this.#session;
    // Without one the connection has not come about, and what is held from before stays.
    if (session === null) return;
    session.linkLost();
    this.#partial = session.partial;
    this.#session = null;
  }

  #waitAfterRefusal({ code, message }: FreshetError): void {
    this.#options.log.error({ code }, `${message}; serving what is stored, and asking again in some minutes`);
    this.#enter('refused');
    const delayMs = REFUSED_RETRY_MS * (0.5 + this.#options.random());
    this.#reconnect = setTimeout(() => this.#connect(), delayMs);
  }

  #stopTimers(): void {
    if (this.#welcomeDeadline !== null) clearTimeout(this.#welcomeDeadline);
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
  }

  #startHeartbeat(intervalMs: number): void {
    this.#silence = new SilenceWatch();
    this.#heartbeat = setInterval(
      () => {
        if (this.#silence.isSilent(this.#socket?.bufferedAmount ?? 0)) {
          this.#options.log.info('the hub has gone silent');
          this.#socket?.terminate();
          return;
        }
        this.#socket?.ping();
        this.#failures = 0;
        const { bytesReceived } = this;
        this.#session?.heartbeat({ bytesReceived, inferenceRequests: this.#options.inferenceRequests() });
      },
      Math.max(HEARTBEAT_MS_MIN, intervalMs),
    );
  }

  #enter(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onStateChange(state);
  }
}

/** The hub's endpoint at `hubUrl` (`ws://host:port` or `wss://…`). @throws CONFIG_INVALID */
export function syncUrlOf(hubUrl: string): string {
  const url = URL.parse(hubUrl);
  const isAddress = url !== null && /^wss?:$/.test(url.protocol) && url.hash === '';
  if (!isAddress) {
    throw new FreshetError('CONFIG_INVALID', `--hub must be a ws:// or wss:// address, not "${hubUrl}"`);
  }
  // A proxy may have the hub under a path of its own.
  url.pathname = url.pathname.replace(/\/+$/, '') + SYNC_PATH;
  return url.href;
}

/** A hub that closes with a refusal means it, also when its `error` message was lost on the way. */
function refusalOfClose(closeCode: number, reason: string): FreshetError | null {
  const code = errorCodeOfClose(closeCode);
  if (code === null || ERROR_TRAITS[code].action !== 'refuse') return null;
  return new FreshetError(code, `the hub refuses this agent: ${reason}`);
}

function send(socket: WebSocket, message: UpstreamMessage): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(upstreamCodec.encode(message));
}

function bytesOf(raw: RawData): Uint8Array {
  // With the default binaryType a message is one Buffer, whatever its fragments.
  return raw as Buffer;
}
