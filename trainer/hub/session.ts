/**
 * One connection to an agent: carries out what the state machine in core/session-state.ts decides, on a real socket.
 * It holds no queue. What it may send is what the window of unconfirmed transfers and the socket's buffer leave room
 * for; the rest stays in the log until an acknowledgement or a drained buffer asks for more.
 */
import { assert } from '@freshet/protocol/assert';
import { ERROR_TRAITS, type FreshetError } from '@freshet/protocol/errors';
import type { AgentId, Position } from '@freshet/protocol/ids';
import { TEXT_BYTES_MAX } from '@freshet/protocol/limits';
import type { DownstreamMessage } from '@freshet/protocol/messages';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import { webSocketHeaderBytes } from '../core/frame-bytes.ts';
import {
  type AdmittedState,
  INITIAL_SESSION_STATE,
  isWindowOpen,
  type LiveState,
  type SessionEffect,
  type SessionEvent,
  type SessionState,
  stepSession,
} from '../core/session-state.ts';
import { CommandFeed } from './command-feed.ts';
import type { FrameTransfer } from './delta-frames.ts';
import { encodeFrame, type TrafficKind } from './frame.ts';
import { readEvent } from './read-event.ts';
import type { SessionHost } from './session-host.ts';
import type { Connection } from './sync-endpoint.ts';
import type { Transfer, TransferSource } from './transfer-source.ts';

/** A socket with this much unsent is left alone until it has drained; one frame more than this is the most it holds. */
const BUFFERED_BYTES_MAX = 4 * 1024 * 1024;

/** A UTF-16 unit takes at most three bytes of UTF-8, and reasons may quote what the agent said. */
const REASON_LENGTH_MAX = Math.floor(TEXT_BYTES_MAX / 3);

/** RFC 6455 §7.4.1: the endpoint is going away. */
const CLOSE_GOING_AWAY = 1001;
/** RFC 6455 §7.4.1: the server met something unexpected. */
const CLOSE_INTERNAL = 1011;

type SnapshotTransfer = Extract<Transfer, { readonly kind: 'snapshot' }>;

type OpenTransfer =
  | Exclude<Transfer, SnapshotTransfer>
  /** `nextChunk`: null before `snapshotBegin` was sent. */
  | (SnapshotTransfer & { nextChunk: number | null });

export class Session {
  readonly #socket: WebSocket;
  readonly #bytesRead: () => number;
  /** At the last message, or when it was last asked whether the agent is silent. */
  #bytesHeard = 0;
  readonly #host: SessionHost;
  #logger: Logger;
  #state: SessionState = INITIAL_SESSION_STATE;
  #agentId: AgentId | null = null;
  #silence: NodeJS.Timeout;
  #transfer: OpenTransfer | null = null;
  /** Aborts the making of the next transfer; null while none is made. */
  #making: AbortController | null = null;
  /** Null before hello. */
  #commands: CommandFeed | null = null;
  /** There is something to send and the socket's buffer is full. */
  #stalled = false;
  /** Goes on in the next turn of the event loop. */
  #yielding = false;

  constructor({ socket, bytesRead }: Connection, host: SessionHost, logger: Logger) {
    this.#socket = socket;
    this.#bytesRead = bytesRead;
    this.#host = host;
    this.#logger = logger;
    this.#silence = setTimeout(() => this.#take({ type: 'overdue' }), host.helloTimeoutMs);
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('error', (error) => this.#logger.info({ err: error }, 'socket failed'));
    socket.on('close', (code) => this.#socketClosed(code));
  }

  /** Whose session this is or was; null before hello. */
  get agentId(): AgentId | null {
    return this.#agentId;
  }

  /** Whether the agent was admitted and nothing has ended the session since. */
  get isLive(): boolean {
    return admittedOf(this.#state) !== null;
  }

  /** Sends what the agent lacks, as far as window and socket allow. Cheap when there is nothing to do. */
  pump(): void {
    while (this.#state.phase === 'live' && !this.#yielding) {
      if (this.#socket.readyState !== this.#socket.OPEN) return;
      if (this.#socket.bufferedAmount >= BUFFERED_BYTES_MAX) {
        this.#stalled = true;
        return;
      }
      if (!this.#advance(this.#state)) return;
    }
  }

  /** Sends the agent the commands that it can carry out and this session has not sent yet. */
  sendCommands(): void {
    const admitted = admittedOf(this.#state);
    if (admitted === null || this.#commands === null) return;
    const { agentId, confirmed } = admitted;
    for (const { id, action, version } of this.#commands.take(confirmed?.version ?? 0)) {
      const signature = this.#host.signOrder(agentId, { id, action, version });
      this.#sendMessage({ type: 'command', id, action, version, signature });
    }
  }

  /** The hub has begun to take samples. */
  intakeOpened(): void {
    this.#take({ type: 'intake-open' });
  }

  /** The same agent has opened another session. */
  replaced(): void {
    this.#take({ type: 'replaced' });
  }

  /** Ends the session because the hub stops; the agent may come back. */
  leave(): void {
    this.#state = { phase: 'closing' };
    this.#dropTransfer();
    this.#socket.close(CLOSE_GOING_AWAY, 'the hub is stopping');
  }

  /** Cuts the connection without waiting for the agent. */
  terminate(): void {
    this.#socket.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#silence.refresh();
    this.#bytesHeard = this.#bytesRead();
    this.#take(readEvent(data, isBinary));
  }

  /** On a thin link the samples of a batch may take longer to come than an agent may be silent. */
  #fallSilent(): void {
    const bytes = this.#bytesRead();
    if (bytes === this.#bytesHeard) this.#take({ type: 'overdue' });
    else this.#silence.refresh();
    this.#bytesHeard = bytes;
  }

  #take(event: SessionEvent): void {
    const { state, effects } = stepSession(this.#state, event, this.#host.facts);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: SessionEffect): void {
    switch (effect.type) {
      case 'admit':
        this.#admit(effect);
        return;
      case 'report':
        this.#host.report(this.#admittedAgent(), effect.report, effect.delivered);
        this.#sendAwaitingCommands();
        return;
      case 'answered':
        this.#takeAnswer(effect);
        return;
      case 'announce-samples':
        this.#send(this.#host.feedback.frame, 'other');
        return;
      case 'take-samples':
        this.#host.feedback.take({ agentId: this.#admittedAgent(), ...effect }, (result) =>
          this.#take({ type: 'settled', result }),
        );
        return;
      case 'answer-feedback':
        this.#sendMessage(effect.result);
        return;
      case 'refused-by-agent':
        this.#logger.info({ code: effect.code, reason: effect.reason }, 'agent refused a transfer');
        this.#host.nacked(effect.code);
        return;
      case 'abandon-transfer':
        this.#dropTransfer();
        return;
      case 'pump':
        this.pump();
        return;
      case 'close':
        this.#close(effect.error);
        return;
    }
  }

  #admit({ agentId, protocol, sendModel }: Extract<SessionEffect, { type: 'admit' }>): void {
    this.#agentId = agentId;
    this.#commands = new CommandFeed((after) => this.#host.pendingCommands(agentId, after));
    this.#logger = this.#logger.child({ agentId });
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#fallSilent(), this.#host.silenceMs);
    this.#host.admit(this, agentId);
    this.#sendMessage(this.#host.welcome(protocol));
    if (sendModel) this.#send(this.#host.modelFrame(), 'other');
    this.sendCommands();
    this.#logger.info({ sendModel }, 'agent connected');
  }

  #takeAnswer({ commandId, ok, outcome }: Extract<SessionEffect, { type: 'answered' }>): void {
    const known = this.#host.answered(this.#admittedAgent(), commandId, ok, outcome);
    if (!known) this.#take({ type: 'stray-answer' });
  }

  #sendAwaitingCommands(): void {
    const confirmed = admittedOf(this.#state)?.confirmed?.version ?? 0;
    if (this.#commands?.isWaitingAbove(confirmed) === false) this.sendCommands();
  }

  /** Hands one frame to the socket, or finds that there is none to hand over: false. */
  #advance(state: LiveState): boolean {
    if (this.#transfer === null && !this.#beginTransfer(state)) return false;
    const transfer = this.#transfer;
    assert(transfer !== null, 'a transfer has begun');
    switch (transfer.kind) {
      case 'frame':
        this.#transfer = null;
        this.#sendTransferFrame(transfer);
        return true;
      case 'chain':
        return this.#advanceChain(state, transfer.through);
      case 'snapshot':
        return this.#advanceSnapshot(transfer);
    }
  }

  #beginTransfer(state: LiveState): boolean {
    if (state.cursor?.version === this.#host.facts.head.version || !isWindowOpen(state)) return false;
    const next = this.#host.transfers.next(state);
    switch (next.kind) {
      case 'wait':
        return false;
      case 'make':
        this.#make(state);
        return false;
      default:
        this.#open(next);
        return true;
    }
  }

  #open(transfer: Transfer): void {
    this.#transfer = transfer.kind === 'snapshot' ? { ...transfer, nextChunk: null } : transfer;
  }

  /** Has the next transfer made, and goes on when it is there, unless it is given up before. */
  #make(state: LiveState): void {
    this.#take({ type: 'preparing' });
    const making = new AbortController();
    this.#making = making;
    this.#host.transfers.make(state, making.signal).then(
      (made) => {
        if (!making.signal.aborted) this.#made(made);
        else if (made.kind === 'snapshot') made.lease.release();
      },
      (error: unknown) => {
        if (!making.signal.aborted) this.#host.failed(error);
      },
    );
  }

  #made(made: Awaited<ReturnType<TransferSource['make']>>): void {
    this.#making = null;
    const found = made.kind !== 'wait';
    if (found) this.#open(made);
    this.#take({ type: 'prepared', found });
  }

  #advanceChain(state: LiveState, through: number): boolean {
    if (!isWindowOpen(state)) return false;
    assert(state.cursor !== null, 'a chain starts at a version');
    const transfer = this.#host.transfers.storedDelta(state.cursor.version);
    // The log may have been pruned since the chain began: then the rest is planned anew.
    if (transfer === null || transfer.position.version >= through) this.#transfer = null;
    if (transfer !== null) this.#sendTransferFrame(transfer);
    return true;
  }

  #advanceSnapshot(transfer: Extract<OpenTransfer, { kind: 'snapshot' }>): boolean {
    const { snapshot } = transfer.lease;
    if (transfer.nextChunk === null) {
      this.#send(snapshot.begin(transfer.firstChunk), 'snapshot');
      transfer.nextChunk = transfer.firstChunk;
      return true;
    }
    const wasEncoded = snapshot.isEncoded(transfer.nextChunk);
    this.#send(snapshot.chunk(transfer.nextChunk), 'snapshot');
    transfer.nextChunk++;
    if (transfer.nextChunk === snapshot.chunkCount) {
      this.#dropTransfer();
      this.#sentTo(snapshot.position);
    }
    if (!wasEncoded) this.#yield();
    return wasEncoded;
  }

  /** Lets other sockets have their turn: encoding a chunk takes about a millisecond, and there may be hundreds. */
  #yield(): void {
    if (this.#yielding) return;
    this.#yielding = true;
    setImmediate(() => {
      this.#yielding = false;
      this.pump();
    });
  }

  #sendTransferFrame(transfer: FrameTransfer): void {
    this.#send(transfer.frame, transfer.traffic);
    this.#sentTo(transfer.position);
  }

  #sentTo(position: Position): void {
    this.#take({ type: 'sent', position });
  }

  #dropTransfer(): void {
    this.#making?.abort();
    this.#making = null;
    if (this.#transfer?.kind === 'snapshot') this.#transfer.lease.release();
    this.#transfer = null;
  }

  #sendMessage(message: DownstreamMessage): void {
    this.#send(encodeFrame(message), 'other');
  }

  #send(frame: Buffer, traffic: TrafficKind): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#host.sent(this.#agentId, traffic, webSocketHeaderBytes(frame.length) + frame.length);
    // A failed send needs no handling of its own: the socket closes, and the agent's next hello says what it has.
    this.#socket.send(frame, () => this.#drained());
  }

  #drained(): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.pump();
  }

  #admittedAgent(): AgentId {
    assert(this.#agentId !== null, 'an agent is heard after it was admitted');
    return this.#agentId;
  }

  #close(error: FreshetError): void {
    this.#logger.info({ code: error.code, reason: error.message }, 'closing the session');
    this.#dropTransfer();
    const reason = error.message.slice(0, REASON_LENGTH_MAX);
    this.#sendMessage({ type: 'error', code: error.code, reason });
    this.#socket.close(ERROR_TRAITS[error.code].closeCode ?? CLOSE_INTERNAL, error.code);
  }

  #socketClosed(closeCode: number): void {
    clearTimeout(this.#silence);
    this.#dropTransfer();
    this.#host.left(this);
    this.#state = { phase: 'closing' };
    this.#logger.info({ closeCode }, 'connection closed');
  }
}

function admittedOf(state: SessionState): AdmittedState | null {
  return state.phase === 'live' || state.phase === 'preparing' ? state : null;
}
