/** What a tfjs backend is to us, and which there are. One file per backend beside this one. */

/** Best first: the order in which they are tried. */
export const BACKEND_NAMES = ['tfjs-node-gpu', 'tfjs-node', 'wasm', 'cpu'] as const;

export type BackendName = (typeof BACKEND_NAMES)[number];

/** Whether a backend runs now. `reason` is one line that says why it cannot run on this machine. */
export type BackendStart =
  | { readonly kind: 'started' }
  | { readonly kind: 'unusable'; readonly reason: string };

export interface Backend {
  readonly name: BackendName;
  /**
   * Loads the backend, completes it for training and makes it the one tfjs uses. Changes nothing in tfjs's choice
   * when it is unusable. What stops a backend on this machine is an outcome, not an error.
   */
  start(): Promise<BackendStart>;
}

/** The first line of an error's message: what a person needs in a list of reasons. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0]!.trim();
}
