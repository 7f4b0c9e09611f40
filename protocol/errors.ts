/**
 * The closed set of failures that can cross a boundary (bytes, socket, disk, runtime), and what each one means for
 * the connection, the peer and the command line. Policy reads this table; nobody matches on message text.
 * A broken invariant is not here: it is an assertion and crashes. An outcome the caller must branch on is not here
 * either: it is a returned union.
 */

/** What the side that meets the failure does about it. */
export type ErrorAction =
  /** Close and connect again after a pause. */
  | 'retry'
  /** Keep serving what is proven good and ask the hub for the way to its head. */
  | 'resync'
  /** Say no and change nothing; trying again with the same input cannot help. */
  | 'refuse'
  /** End the process; a supervisor or a person has to act. */
  | 'crash';

interface ErrorTraits {
  /** WebSocket close code (4000–4999 is the range for applications), or null where no socket is involved. */
  readonly closeCode: number | null;
  readonly action: ErrorAction;
  /** Exit code of a command that ends because of it. */
  readonly exitCode: number;
}

/** Exit codes shared by all commands. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  /** A bug in Freshet (EX_SOFTWARE of sysexits). */
  bug: 70,
} as const;

export const ERROR_TRAITS = {
  FRAME_MALFORMED: { closeCode: 4400, action: 'retry', exitCode: EXIT.failed },
  FRAME_TOO_LARGE: { closeCode: 4401, action: 'retry', exitCode: EXIT.failed },
  PROTOCOL_UNSUPPORTED: { closeCode: 4402, action: 'refuse', exitCode: EXIT.refused },
  MESSAGE_UNEXPECTED: { closeCode: 4403, action: 'retry', exitCode: EXIT.failed },
  MODEL_MISMATCH: { closeCode: 4404, action: 'refuse', exitCode: EXIT.refused },
  LINE_MISMATCH: { closeCode: 4405, action: 'refuse', exitCode: EXIT.refused },
  AGENT_REPLACED: { closeCode: 4406, action: 'retry', exitCode: EXIT.failed },
  PEER_SILENT: { closeCode: 4407, action: 'retry', exitCode: EXIT.failed },
  DELTA_MALFORMED: { closeCode: 4410, action: 'resync', exitCode: EXIT.failed },
  BASE_MISMATCH: { closeCode: 4411, action: 'resync', exitCode: EXIT.failed },
  ROOT_MISMATCH: { closeCode: 4412, action: 'resync', exitCode: EXIT.failed },
  SNAPSHOT_MALFORMED: { closeCode: 4413, action: 'resync', exitCode: EXIT.failed },
  ONNX_MALFORMED: { closeCode: 4414, action: 'refuse', exitCode: EXIT.refused },
  SIGNATURE_INVALID: { closeCode: 4415, action: 'resync', exitCode: EXIT.failed },
  PUBLISHER_UNTRUSTED: { closeCode: 4416, action: 'refuse', exitCode: EXIT.refused },
  STORE_FOREIGN: { closeCode: null, action: 'crash', exitCode: EXIT.refused },
  STORE_CORRUPT: { closeCode: null, action: 'crash', exitCode: EXIT.failed },
  STORE_LOCKED: { closeCode: null, action: 'crash', exitCode: EXIT.refused },
  STORE_NEWER: { closeCode: null, action: 'crash', exitCode: EXIT.refused },
  STORE_WRITE_FAILED: { closeCode: null, action: 'crash', exitCode: EXIT.failed },
  VERSION_UNKNOWN: { closeCode: null, action: 'refuse', exitCode: EXIT.refused },
  VERSION_QUARANTINED: { closeCode: null, action: 'refuse', exitCode: EXIT.refused },
  PREDICTOR_FAILED: { closeCode: null, action: 'refuse', exitCode: EXIT.failed },
  NOT_READY: { closeCode: null, action: 'retry', exitCode: EXIT.unreachable },
  INPUT_INVALID: { closeCode: null, action: 'refuse', exitCode: EXIT.refused },
  BACKEND_UNAVAILABLE: { closeCode: null, action: 'crash', exitCode: EXIT.refused },
  LAYER_UNSUPPORTED: { closeCode: null, action: 'refuse', exitCode: EXIT.refused },
  LEARNER_FAILED: { closeCode: null, action: 'crash', exitCode: EXIT.failed },
  LEARNER_DIVERGED: { closeCode: null, action: 'crash', exitCode: EXIT.failed },
  SAMPLES_INVALID: { closeCode: null, action: 'crash', exitCode: EXIT.refused },
  CONFIG_INVALID: { closeCode: null, action: 'refuse', exitCode: EXIT.usage },
  ADDRESS_IN_USE: { closeCode: null, action: 'crash', exitCode: EXIT.refused },
  UNREACHABLE: { closeCode: null, action: 'retry', exitCode: EXIT.unreachable },
} as const satisfies Record<string, ErrorTraits>;

export type ErrorCode = keyof typeof ERROR_TRAITS;

/**
 * A failure at a boundary. `message` is one line for a person and says what to do; `details` holds numbers and names
 * for a machine, never payload bytes; `cause` is set whenever another error is wrapped.
 */
export class FreshetError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FreshetError';
    this.code = code;
    this.details = options.details ?? {};
  }

  get action(): ErrorAction {
    return ERROR_TRAITS[this.code].action;
  }

  get exitCode(): number {
    return ERROR_TRAITS[this.code].exitCode;
  }
}

/** Whether `text` is one of our codes: a peer of a newer version may send one that we do not know. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_TRAITS, text);
}

/** The code of a failure that a WebSocket peer closed the connection with, or null for any other close code. */
export function errorCodeOfClose(closeCode: number): ErrorCode | null {
  for (const [code, traits] of Object.entries(ERROR_TRAITS)) {
    if (traits.closeCode === closeCode && isErrorCode(code)) return code;
  }
  return null;
}
