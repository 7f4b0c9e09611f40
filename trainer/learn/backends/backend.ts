/** What a tfjs backend is to us, and which there are. One file per backend beside this one. */

/** Best first: the order in which they are tried. */
export const BACKEND_NAMES = ['tfjs-node-gpu', 'tfjs-node', 'webgpu', 'wasm', 'cpu'] as const;

export type BackendName = (typeof BACKEND_NAMES)[number];

/** Why a backend does not run on this machine, and what would change that: one line each, without a full stop. */
export interface Unusable {
  readonly kind: 'unusable';
  readonly reason: string;
  readonly remedy: string;
}

export interface Started {
  readonly kind: 'started';
  /** What the work is done by, for a person: `TensorFlow 2.9.1, CPU`. */
  readonly adapter: string;
  /** Set where only those get it who ask for it by name. */
  readonly onRequestOnly?: true;
}

export type BackendStart = Started | Unusable;

export interface BackendStartOptions {
  /** Whether a graphics interface may run on a processor that plays a GPU. False by default: others are faster. */
  readonly allowSoftware?: boolean;
}

export interface Backend {
  readonly name: BackendName;
  /**
   * Loads the backend, completes it for training and makes it the one tfjs uses. Changes nothing in tfjs's choice
   * when it is unusable. What stops a backend on this machine is an outcome, not an error.
   */
  start(options?: BackendStartOptions): Promise<BackendStart>;
}

export function unusable(reason: string, remedy: string): Unusable {
  return { kind: 'unusable', reason, remedy };
}

/** The first line of an error's message: what a person needs in a list of reasons. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0]!.trim();
}
