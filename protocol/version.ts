/**
 * The version of the wire protocol. A change to any message, to the delta payload or to the digest moves it; the test
 * `wire-shape` fails when the shape changes and this file does not.
 *
 * History
 *   1  first version: hello/welcome, model, snapshot, delta (gap-coded indices, exact float32 values), commands
 *   2  deltas are entropy-coded steps from the base, in five value formats; proofs with signatures, key rotations;
 *      compressed snapshots that can be resumed; capabilities in hello; BLAKE3 instead of SHA-256 over the weights;
 *      labelled samples from devices
 */
export const PROTOCOL_VERSION = 2;

/** Oldest version this code still speaks. It rises only when keeping an old one would cost correctness. */
export const PROTOCOL_VERSION_FLOOR = 2;

/** WebSocket subprotocol name (Sec-WebSocket-Protocol). */
export const SUBPROTOCOL = 'freshet.v1';

/** Path of the WebSocket endpoint on the hub. */
export const SYNC_PATH = '/v1/sync';
