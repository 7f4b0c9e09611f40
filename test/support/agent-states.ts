/**
 * Runs every event in every phase of an agent's session over a real store, in each way that makes a difference, and says
 * what it did. The model has two chunks, so that a snapshot can be in between.
 */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { SessionPorts, SessionStore } from '@freshet/edge-agent/core/session-ports';
import type { SessionEvents, SessionPhase } from '@freshet/edge-agent/core/session-table';
import { SnapshotAssembly } from '@freshet/edge-agent/core/snapshot-assembly';
import { SyncSession } from '@freshet/edge-agent/core/sync-session';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { assert } from '@freshet/protocol/assert';
import { modelTag } from '@freshet/protocol/digest';
import { FreshetError } from '@freshet/protocol/errors';
import { samplesMessage, wireSampleOf } from '@freshet/protocol/feedback';
import {
  asAgentId,
  asLineId,
  asModelDigest,
  asSampleId,
  asWeightsVersion,
  type Proof,
} from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { modelMessage, splitModel } from '@freshet/protocol/model';
import { SigningKey } from '@freshet/protocol/signature';
import { encodeSnapshotChunk, SNAPSHOT_CHUNK_ELEMENTS } from '@freshet/protocol/snapshot-chunk';
import { versionStatement } from '@freshet/protocol/statements';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { buildOnnx } from './onnx-builder.ts';
import { commandOf, pinOf, welcomeOf } from './publisher-line.ts';
import { DIGITS, digit } from './sample-logs.ts';
import type { Observed, Outcome } from './state-table.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { deltaBetween, LINE, positionOf } from './tiny-model.ts';

export const AGENT_PHASES: readonly SessionPhase[] = [
  'awaiting-welcome',
  'live',
  'assembling',
  'resyncing',
  'closed',
];

type EventName = keyof SessionEvents;

const ELEMENT_COUNT = SNAPSHOT_CHUNK_ELEMENTS + 10;
const { model } = splitModel(
  'two chunks',
  buildOnnx({
    nodes: [{ op: 'Gemm', inputs: ['x', 'w'], outputs: ['y'] }],
    initializers: [{ name: 'w', shape: [ELEMENT_COUNT, 1], values: new Float32Array(ELEMENT_COUNT) }],
    inputs: [{ name: 'x', type: 'float32', shape: ['batch', ELEMENT_COUNT] }],
    outputs: [{ name: 'y', type: 'float32', shape: ['batch', 1] }],
  }),
);
const key = SigningKey.fromSeed(Buffer.alloc(32, 1));

/** Version v has one weight v and is zero elsewhere. The store holds version 10. */
const HEAD = 10;
function weightsOf(version: number): Float32Array {
  const weights = new Float32Array(ELEMENT_COUNT);
  weights[0] = version;
  return weights;
}
const positions = new Map(
  [9, 10, 11, 12].map((version) => [version, positionOf(model, version, weightsOf(version))]),
);
const positionAt = (version: number) => positions.get(version)!;

function proofOf(version: number, signed: boolean): Proof {
  const position = positionAt(version);
  const signature = signed ? key.sign(versionStatement(LINE, model.digest, position)) : null;
  return { root: position.root, signature };
}

type Message<Type extends DownstreamMessage['type']> = MessageNamed<DownstreamMessage, Type>;

const welcome = (signed = false, changes: Partial<Message<'welcome'>> = {}) =>
  welcomeOf(HEAD, proofOf(HEAD, signed), { modelId: model.modelId, modelDigest: model.digest, ...changes });
const begin = (version: number, firstChunk = 0): Message<'snapshotBegin'> => ({
  type: 'snapshotBegin',
  version: asWeightsVersion(version),
  proof: proofOf(version, false),
  firstChunk,
});
const chunk = (version: number, index: number): Message<'snapshotChunk'> => ({
  type: 'snapshotChunk',
  index,
  bytes: encodeSnapshotChunk(
    weightsOf(version).subarray(index * SNAPSHOT_CHUNK_ELEMENTS, (index + 1) * SNAPSHOT_CHUNK_ELEMENTS),
  ),
});
function delta(base: number, next: number): Message<'delta'> {
  const published = deltaBetween(model, [base, weightsOf(base)], [next, weightsOf(next)]);
  return {
    type: 'delta',
    modelTag: modelTag(model.digest),
    base: published.base,
    span: next - base,
    proof: proofOf(next, false),
    payload: published.payload,
    trafficClass: 'live',
    traceparent: null,
  };
}

/** A run of messages after those that led into the phase, or one thing that the device does. */
interface Run {
  readonly before?: readonly DownstreamMessage[];
  readonly act: DownstreamMessage | ((session: SyncSession) => void);
  /** The first chunk of version 12 is there from an earlier session. */
  readonly partial?: boolean;
  /** A batch with one sample is under way. */
  readonly sends?: boolean;
  /** The device has pinned a publisher's key, and `welcome` was signed with it. */
  readonly pinned?: boolean;
}

const samples: DownstreamMessage = samplesMessage(DIGITS);
const sample = wireSampleOf(asSampleId('0a'.repeat(16)), digit(1));
const resultOf = (taken: number): MessageNamed<DownstreamMessage, 'feedbackResult'> => ({
  type: 'feedbackResult',
  batch: 1,
  taken,
  duplicates: 0,
  refused: [],
  retryMs: null,
});

const assembled = (version: number, index = 1): Run => ({
  before: [begin(version), ...(index === 0 ? [] : [chunk(version, 0)])],
  act: chunk(version, index),
});

const RUNS: Readonly<Record<EventName, readonly Run[]>> = {
  welcome: [
    { act: welcome() },
    { act: welcome(false, { protocol: PROTOCOL_VERSION + 1 }) },
    { act: welcome(false, { modelDigest: asModelDigest('ab'.repeat(32)) }) },
    { act: welcome(false, { lineId: asLineId('fe'.repeat(16)) }) },
    { act: welcome(), pinned: true },
  ],
  model: [{ act: modelMessage(model) }, { act: { ...modelMessage(model), graph: model.graph.subarray(1) } }],
  snapshotBegin: [
    { act: begin(12) },
    { act: begin(12, 1), partial: true },
    { act: begin(12, 1) },
    { act: begin(12), pinned: true },
  ],
  snapshotChunk: [
    assembled(12, 0),
    assembled(12),
    { before: [begin(12)], act: chunk(12, 1) },
    { before: [begin(12), chunk(11, 0)], act: chunk(12, 1) },
    assembled(9),
    assembled(10),
  ],
  delta: [
    { act: delta(10, 11) },
    { act: delta(11, 12) },
    { act: delta(9, 10) },
    { act: { ...delta(10, 11), payload: Uint8Array.of(0xff) } },
    { act: { ...delta(10, 12), proof: proofOf(11, false) } },
    { act: { ...delta(10, 11), modelTag: modelTag(model.digest) ^ 1 } },
    { act: delta(10, 11), pinned: true },
  ],
  command: [{ act: commandOf(pinOf(1, HEAD), null) }, { act: commandOf(pinOf(1, HEAD), null), pinned: true }],
  samples: [{ act: samples }, { before: [samples], act: samples }],
  feedbackResult: [
    { sends: true, act: resultOf(1) },
    { sends: true, act: { ...resultOf(0), retryMs: 1000 } },
    { sends: true, act: resultOf(2) },
    { act: resultOf(1) },
  ],
  error: [
    { act: { type: 'error', code: 'LINE_MISMATCH', reason: 'test' } },
    { act: { type: 'error', code: 'NEW_IN_A_LATER_VERSION', reason: 'test' } },
  ],
  heartbeatDue: [{ act: (session) => session.heartbeat({ bytesReceived: 1, inferenceRequests: 1 }) }],
  served: [{ act: (session) => session.acknowledge() }],
  quarantined: [
    {
      act: (session) =>
        session.reportQuarantine(asWeightsVersion(HEAD), new FreshetError('PREDICTOR_FAILED', 'test')),
    },
  ],
  commandDone: [{ act: (session) => session.reportCommand(1, { ok: true, outcome: 'done' }) }],
  samplesDue: [{ before: [samples], act: (session) => session.sendSamples([sample]) }],
  linkLost: [{ act: (session) => session.linkLost() }],
};

/** What leads from the start into each phase. */
const WAY: Readonly<Record<SessionPhase, (session: SyncSession, signed: boolean) => void>> = {
  'awaiting-welcome': () => undefined,
  live: (session, signed) => session.receive(welcome(signed)),
  assembling: (session, signed) => {
    session.receive(welcome(signed));
    session.receive({ ...begin(12), proof: proofOf(12, signed) });
  },
  resyncing: (session, signed) => {
    session.receive(welcome(signed));
    session.receive({ ...delta(11, 12), proof: proofOf(12, signed) });
  },
  closed: (session) => session.linkLost(),
};

export function observeAgent(test: TestContext): Observed<EventName, SessionPhase> {
  const directory = temporaryDirectory(test);
  let storeCount = 0;
  const observe = (phase: SessionPhase, run: Run) =>
    outcomeOf(phase, run, join(directory, `${storeCount++}.db`));
  const entries = Object.entries(RUNS).map(([event, runs]) => [
    event,
    Object.fromEntries(AGENT_PHASES.map((phase) => [phase, runs.map((run) => observe(phase, run))])),
  ]);
  return Object.fromEntries(entries) as Observed<EventName, SessionPhase>;
}

function outcomeOf(phase: SessionPhase, run: Run, storePath: string): Outcome<SessionPhase> {
  const store = WeightStore.open(storePath, { clock: () => 0 });
  try {
    return observeOn(store, phase, run);
  } finally {
    store.close();
  }
}

function observeOn(store: WeightStore, phase: SessionPhase, run: Run): Outcome<SessionPhase> {
  const pinned = run.pinned === true;
  if (pinned) store.publisher.configure(key.publicKey);
  store.adoptModel(LINE, model);
  store.commitSnapshot(positionAt(HEAD), weightsOf(HEAD));
  const does: string[] = [];
  let code: string | null = null;
  const ports: SessionPorts = {
    store: recorded(store, does),
    publisher: store.publisher,
    agentId: asAgentId('device'),
    software: 'test',
    served: () => store.head(),
    send: (message) => {
      does.push(message.type);
      if (message.type === 'nack') code = message.code;
    },
    onWelcome: () => does.push('start heartbeats'),
    onAdvanced: () => does.push('serve'),
    onRefused: () => undefined,
    onCommand: () => does.push('carry out'),
    onSampleFormat: () => does.push('note the format'),
    onSamplesAnswered: ({ kind }) =>
      does.push(kind === 'settled' ? 'settle the samples' : 'keep the samples'),
  };
  const session = new SyncSession(ports, run.partial === true ? firstChunkOf(12) : null);
  WAY[phase](session, pinned);
  assert(session.phase === phase, `the way leads to ${phase}`);
  prepare(session, run);
  does.length = 0;
  code = null;
  const before = session.partial;
  const countBefore = before?.chunkCount ?? 0;
  try {
    if (typeof run.act === 'function') run.act(session);
    else session.receive(run.act);
    if (session.partial !== before && session.partial !== null) does.push('begin');
    else if ((session.partial?.chunkCount ?? 0) > countBefore) does.push('keep');
    else if (isBegin(run) && session.phase === 'assembling') does.push('go on');
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    does.push('close');
    code = error.code;
  }
  return { does, code, next: session.phase };
}

/** What leads up to an event takes place where it can. */
function prepare(session: SyncSession, { before = [], sends = false }: Run): void {
  const isFor = (message: DownstreamMessage) =>
    message.type === 'samples' ? isEstablished(session) : session.phase === 'assembling';
  for (const message of before) if (isFor(message)) session.receive(message);
  if (!sends || !isEstablished(session)) return;
  session.receive(samples);
  session.sendSamples([sample]);
}

function isEstablished({ phase }: SyncSession): boolean {
  return phase !== 'awaiting-welcome' && phase !== 'closed';
}

function isBegin({ act }: Run): boolean {
  return typeof act !== 'function' && act.type === 'snapshotBegin';
}

function firstChunkOf(version: number): SnapshotAssembly {
  const assembly = new SnapshotAssembly(positionAt(version), ELEMENT_COUNT);
  assembly.add(chunk(version, 0));
  return assembly;
}

/** `store`, with what it takes written down. */
function recorded(store: WeightStore, does: string[]): SessionStore {
  return {
    get identity() {
      return store.identity;
    },
    head: () => store.head(),
    pinned: () => store.pinned(),
    adoptModel: (lineId, offered) => {
      store.adoptModel(lineId, offered);
      does.push('commit');
    },
    commitDelta: (received) => {
      const outcome = store.commitDelta(received);
      if (outcome.kind === 'applied') does.push('commit');
      return outcome;
    },
    commitSnapshot: (position, weights) => {
      const outcome = store.commitSnapshot(position, weights);
      if (outcome.kind === 'applied') does.push('commit');
      return outcome;
    },
  };
}
