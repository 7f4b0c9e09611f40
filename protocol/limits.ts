/**
 * The maximum of everything that a peer can announce or send. Decoders check these before they allocate.
 */

/** Largest message from the hub; a delta of a tenth of ResNet-18's weights as exact float32 is 5.6 MB. */
export const DOWNSTREAM_FRAME_BYTES_MAX = 32 * 1024 * 1024;

/** Largest message from an agent, one with feedback: an image of 512 × 512 × 3 bytes is 786 kB. */
export const UPSTREAM_FRAME_BYTES_MAX = 1024 * 1024;

/** Largest of all other messages from an agent, which are reports. */
export const REPORT_FRAME_BYTES_MAX = 64 * 1024;

/** Bytes of a frame around its bulk field (delta payload, graph or chunk): type, versions, root, lengths. */
export const FRAME_OVERHEAD_BYTES_MAX = 1024;

/** Input and target of one sample that an agent sends. */
export const FEEDBACK_SAMPLE_BYTES_MAX = UPSTREAM_FRAME_BYTES_MAX - FRAME_OVERHEAD_BYTES_MAX;

/** Samples of one message. The hub makes them durable in one go, and everybody else waits meanwhile. */
export const FEEDBACK_SAMPLES_MAX = 256;

/** Longest that a hub may ask an agent to keep its samples before it offers them again: 1 h. */
export const FEEDBACK_RETRY_MS_MAX = 3_600_000;

/** Shortest: a hub must not make its agents spin. */
export const FEEDBACK_RETRY_MS_MIN = 10;

export const DELTA_PAYLOAD_BYTES_MAX = DOWNSTREAM_FRAME_BYTES_MAX - FRAME_OVERHEAD_BYTES_MAX;

/** Weights in one piece of a snapshot, in bytes: so small that heartbeats and commands pass between the pieces. */
export const SNAPSHOT_CHUNK_BYTES = 256 * 1024;

/**
 * A chunk holds at most this many times the bytes that it has on the wire: what a receiver allocates stays in proportion
 * to what it was sent. Weights compress to about 0.85; only those that are all alike come near this.
 */
export const SNAPSHOT_EXPANSION_MAX = 64;

/** 2^28 weights, 1 GiB of float32. Indices fit 32 bits with room. */
export const ELEMENT_COUNT_MAX = 2 ** 28;

/** An ONNX file without its weights: nodes, names, shapes. */
export const GRAPH_BYTES_MAX = 16 * 1024 * 1024;

export const TENSOR_COUNT_MAX = 16_384;
export const TENSOR_RANK_MAX = 8;
export const NAME_BYTES_MAX = 512;
export const TEXT_BYTES_MAX = 4096;

/** Longest interval of heartbeats: 1 h. Timers take no more than 2^31 ms, and beyond that fire at once. */
export const HEARTBEAT_MS_MAX = 3_600_000;

/** Shortest interval: a hub must not make its agents spin. */
export const HEARTBEAT_MS_MIN = 10;

/**
 * Items of a message, arrays and what is in them: each costs memory beyond its bytes once it is unpacked. The largest
 * message is a model: 16,384 tensors of at most 12 items (itself, name, shape, 8 dimensions, offset).
 */
export const MESSAGE_ITEMS_MAX = 2 ** 18;

/** Nesting of arrays in a message; the deepest is model → tensors → tensor → shape. */
export const MESSAGE_DEPTH_MAX = 5;

/** Small fragments cost memory out of proportion to their bytes (GHSA-96hv-2xvq-fx4p), hence far below ws's default. */
export const FRAGMENTS_PER_MESSAGE_MAX = 1024;

/** Every agent takes messages of this size at least: a snapshot's chunk fits. */
export const FRAME_BYTES_FLOOR = 512 * 1024;

/** Value formats that an agent may say it knows. */
export const VALUE_FORMATS_MAX = 32;

/** Keys that a publisher may have had after its first. */
export const KEY_ROTATIONS_MAX = 64;
