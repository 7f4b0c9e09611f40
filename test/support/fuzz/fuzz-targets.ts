/** Every decoder of bytes from a peer, by name. */
import { downstreamTarget, upstreamTarget } from './codec-targets.ts';
import { deltaTarget } from './delta-target.ts';
import { feedbackTarget } from './feedback-target.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { handshakeTarget } from './handshake-target.ts';
import { modelTarget, onnxTarget } from './model-targets.ts';
import { publisherTarget } from './publisher-target.ts';
import { snapshotChunkTarget } from './snapshot-chunk-target.ts';

/** `what`: one line for a person. `make`: with a corpus of the vectors, and of what `seed` draws. */
export const FUZZ_TARGETS = {
  up: { what: 'messages from agents', make: upstreamTarget },
  down: { what: 'messages from hubs', make: downstreamTarget },
  handshake: { what: 'the greetings of agents, and what a hub answers', make: handshakeTarget },
  delta: {
    what: 'payloads of deltas, for models of several layouts and in all value formats',
    make: deltaTarget,
  },
  'snapshot-chunk': { what: 'chunks of snapshots, compressed and not', make: snapshotChunkTarget },
  model: { what: 'messages with a model, whatever sizes they announce', make: modelTarget },
  onnx: { what: 'ONNX files', make: onnxTarget },
  feedback: { what: 'samples of agents, and what hubs say about them', make: feedbackTarget },
  publisher: {
    what: 'signed messages and key rotations, to a device with a pinned key',
    make: publisherTarget,
  },
} as const satisfies Record<string, { readonly what: string; make(seed: number): FuzzTarget }>;

export type FuzzTargetName = keyof typeof FUZZ_TARGETS;
export const FUZZ_TARGET_NAMES = Object.keys(FUZZ_TARGETS) as FuzzTargetName[];
