/** Who is believed: frames of a hub, and what a device makes of them that has pinned a key. */
import { forgedCommand, forgedVersion, publisherOf } from '@freshet/edge-agent/core/publisher-trust';
import { downstreamCodec } from '@freshet/protocol/codec';
import { type ErrorCode, FreshetError } from '@freshet/protocol/errors';
import {
  asAgentId,
  asPublicKey,
  asRoot,
  asSignature,
  asWeightsVersion,
  type Position,
  type PublicKey,
} from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import type { SigningKey } from '@freshet/protocol/signature';
import { commandStatement, rotationStatement, versionStatement } from '@freshet/protocol/statements';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { bytesOfHex, hexOf } from './hex.ts';
import { LINE_ID, MODEL_DIGEST, ROOT } from './message-valid.ts';
import { NEUTRAL_SIGNATURE, SMALL_ORDER_KEYS } from './odd-signatures.ts';
import { FIRST, SECOND, THIRD } from './signed-statements.ts';

type Message<Type extends DownstreamMessage['type']> = MessageNamed<DownstreamMessage, Type>;

/** A welcome, to a device that pins `pinned` and holds `head`: the key that speaks in the session, or why none does. */
export interface WelcomeVector {
  readonly name: string;
  readonly pinned: string;
  readonly head: { readonly version: number; readonly root: string } | null;
  readonly frame: string;
  readonly outcome: { readonly publicKey: string } | { readonly code: ErrorCode };
}

/** A frame later in the session of `welcome`, in which `publicKey` speaks: null where it has signed it. */
export interface SignedFrameVector {
  readonly name: string;
  readonly agentId: string;
  readonly publicKey: string;
  readonly welcome: string;
  readonly frame: string;
  readonly code: ErrorCode | null;
}

export interface AuthorityVectors {
  readonly welcomes: readonly WelcomeVector[];
  readonly frames: readonly SignedFrameVector[];
}

export function authorityVectors(): AuthorityVectors {
  return { welcomes: welcomes(), frames: signedFrames() };
}

/** What a device says of `vector`. */
export function outcomeOfWelcome({
  pinned,
  head,
  frame,
}: Omit<WelcomeVector, 'outcome'>): WelcomeVector['outcome'] {
  const welcome = decoded(frame, 'welcome');
  const position =
    head === null ? null : { version: asWeightsVersion(head.version), root: asRoot(head.root) };
  try {
    return { publicKey: publisherOf(welcome, asPublicKey(pinned), position) };
  } catch (error) {
    if (error instanceof FreshetError) return { code: error.code };
    throw error;
  }
}

/** What a device says of `vector`. */
export function codeOfFrame({
  agentId,
  publicKey,
  welcome,
  frame,
}: Omit<SignedFrameVector, 'code'>): ErrorCode | null {
  const session = decoded(welcome, 'welcome');
  const message = downstreamCodec.decode(bytesOfHex(frame));
  const key = asPublicKey(publicKey);
  switch (message.type) {
    case 'command':
      return forgedCommand(key, session, asAgentId(agentId), message)?.code ?? null;
    case 'snapshotBegin':
      return forgedVersion(key, session, message.version, message.proof)?.code ?? null;
    case 'delta': {
      const next = asWeightsVersion(message.base + message.span);
      return forgedVersion(key, session, next, message.proof)?.code ?? null;
    }
    default:
      throw new TypeError(`${message.type} is not signed`);
  }
}

function decoded<Type extends DownstreamMessage['type']>(frame: string, type: Type): Message<Type> {
  const message = downstreamCodec.decode(bytesOfHex(frame));
  if (message.type !== type) throw new TypeError(`${message.type} in the place of ${type}`);
  return message as Message<Type>;
}

const frameOf = (message: DownstreamMessage): string => hexOf(downstreamCodec.encode(message));

const at = (version: number, root: string = ROOT): Position => ({
  version: asWeightsVersion(version),
  root: asRoot(root),
});

const signVersion = (key: SigningKey, position: Position, lineId = LINE_ID) =>
  key.sign(versionStatement(lineId, MODEL_DIGEST, position));

function rotation(by: SigningKey, serial: number, { publicKey }: { readonly publicKey: PublicKey }) {
  return { publicKey, signature: by.sign(rotationStatement(LINE_ID, serial, publicKey)) };
}

/** Of version 42, whose root is ROOT, signed by `key`. */
function welcomeBy(key: SigningKey | null, change: Partial<Message<'welcome'>> = {}): Message<'welcome'> {
  const signature = key === null ? null : signVersion(key, at(42));
  return {
    type: 'welcome',
    protocol: PROTOCOL_VERSION,
    modelId: 'lenet5',
    modelDigest: MODEL_DIGEST,
    lineId: LINE_ID,
    head: { version: asWeightsVersion(42), proof: { root: ROOT, signature } },
    heartbeatMs: 5000,
    rotations: [],
    ...change,
  };
}

const OTHER_ROOT = 'ee'.repeat(32);
const [ONE_TO_TWO, TWO_TO_THREE] = [rotation(FIRST, 1, SECOND), rotation(SECOND, 2, THIRD)];

function entry(
  name: string,
  pinned: SigningKey,
  welcome: Message<'welcome'>,
  head: Position | null = null,
): WelcomeVector {
  const input = { name, pinned: pinned.publicKey, head, frame: frameOf(welcome) };
  return { ...input, outcome: outcomeOfWelcome(input) };
}

function welcomes(): WelcomeVector[] {
  const rotated = [ONE_TO_TWO, TWO_TO_THREE];
  return [
    entry('signed by the pinned key', FIRST, welcomeBy(FIRST)),
    entry('to a device that holds this version', FIRST, welcomeBy(FIRST), at(42)),
    entry('to a device that holds an older version', FIRST, welcomeBy(FIRST), at(7, OTHER_ROOT)),
    entry('after two rotations', FIRST, welcomeBy(THIRD, { rotations: rotated })),
    entry('after two rotations, of which one is known', SECOND, welcomeBy(THIRD, { rotations: rotated })),
    entry('after two rotations, which are known', THIRD, welcomeBy(THIRD, { rotations: rotated })),
    entry('unsigned', FIRST, welcomeBy(null)),
    entry('signed by another key', FIRST, welcomeBy(SECOND)),
    entry('signed by the key before the last', FIRST, welcomeBy(FIRST, { rotations: rotated })),
    entry('of another line than was signed', FIRST, welcomeBy(FIRST, { lineId: asLine('00') })),
    entry('of another model than was signed', FIRST, welcomeBy(FIRST, { modelDigest: asModel('00') })),
    entry(
      'of another version than was signed',
      FIRST,
      welcomeBy(FIRST, { head: { ...welcomeBy(FIRST).head, version: asWeightsVersion(43) } }),
    ),
    entry(
      'a rotation that the key before did not sign',
      FIRST,
      welcomeBy(THIRD, { rotations: [rotation(THIRD, 1, SECOND), TWO_TO_THREE] }),
    ),
    entry('rotations in the wrong order', FIRST, welcomeBy(THIRD, { rotations: rotated.toReversed() })),
    entry('a rotation left out', FIRST, welcomeBy(THIRD, { rotations: [TWO_TO_THREE] })),
    entry(
      'a rotation with another serial',
      FIRST,
      welcomeBy(SECOND, { rotations: [rotation(FIRST, 2, SECOND)] }),
    ),
    entry('an older version than the device holds', FIRST, welcomeBy(FIRST), at(43)),
    entry(
      'the version that the device holds, with another root',
      FIRST,
      welcomeBy(FIRST),
      at(42, OTHER_ROOT),
    ),
    ...ofAnotherLine(),
    ...withTheKeyTwice(),
    ...withSmallOrder(),
  ];
}

/** Signed as that line's. Whether line and model are the device's is asked after this (PROTOCOL.md §7). */
function ofAnotherLine(): WelcomeVector[] {
  const lineId = asLine('00');
  const proof = { root: ROOT, signature: signVersion(FIRST, at(42), lineId) };
  const welcome = welcomeBy(FIRST, { lineId, head: { version: asWeightsVersion(42), proof } });
  const name = 'of another line, as which it was signed';
  return [
    entry(`${name}, to a device that holds an older version`, FIRST, welcome, at(41)),
    entry(`${name}, to a device that holds a newer version`, FIRST, welcome, at(43)),
    entry(
      `${name}, to a device that holds this version with another root`,
      FIRST,
      welcome,
      at(42, OTHER_ROOT),
    ),
  ];
}

/** No publisher's lists, but what counts in them is the last occurrence. */
function withTheKeyTwice(): WelcomeVector[] {
  const unsignedBetween = [ONE_TO_TWO, rotation(FIRST, 2, THIRD), rotation(FIRST, 3, SECOND)];
  return [
    entry(
      'the pinned key twice among the rotations, and last: what lies between is not looked at',
      SECOND,
      welcomeBy(SECOND, { rotations: unsignedBetween }),
    ),
    entry(
      'the pinned key twice among the rotations, and another after it',
      SECOND,
      welcomeBy(THIRD, { rotations: [...unsignedBetween, rotation(SECOND, 4, THIRD)] }),
    ),
    entry(
      'the pinned key twice among the rotations, with the serial that follows the first of them',
      SECOND,
      welcomeBy(THIRD, { rotations: [...unsignedBetween, rotation(SECOND, 2, THIRD)] }),
    ),
  ];
}

/** A key that everybody can sign for, introduced by the true one: everybody could speak for the line. */
function withSmallOrder(): WelcomeVector[] {
  const neutral = { publicKey: asPublicKey(SMALL_ORDER_KEYS['y = 1, order 1']!) };
  const anybody = asSignature(NEUTRAL_SIGNATURE);
  const head = { version: asWeightsVersion(42), proof: { root: ROOT, signature: anybody } };
  const toNeutral = rotation(FIRST, 1, neutral);
  const toSecond = { publicKey: SECOND.publicKey, signature: anybody };
  return [
    entry('a rotation to a key of small order', FIRST, welcomeBy(null, { head, rotations: [toNeutral] })),
    entry(
      'a rotation to a key of small order and back',
      FIRST,
      welcomeBy(SECOND, { rotations: [toNeutral, toSecond] }),
    ),
    entry(
      'a rotation to a key of small order and back, which are known',
      SECOND,
      welcomeBy(SECOND, { rotations: [toNeutral, toSecond] }),
    ),
  ];
}

const asLine = (byte: string) => byte.repeat(16) as typeof LINE_ID;
const asModel = (byte: string) => byte.repeat(32) as typeof MODEL_DIGEST;

function signedFrames(): SignedFrameVector[] {
  const welcome = frameOf(welcomeBy(FIRST));
  const entry = (name: string, message: DownstreamMessage, agentId = 'edge-7'): SignedFrameVector => {
    const input = { name, agentId, publicKey: FIRST.publicKey, welcome, frame: frameOf(message) };
    return { ...input, code: codeOfFrame(input) };
  };
  const pin = { id: 7, action: 'pin', version: asWeightsVersion(40) } as const;
  const order = FIRST.sign(commandStatement(LINE_ID, asAgentId('edge-7'), pin));
  const command = (change: Partial<Message<'command'>> = {}): Message<'command'> => ({
    type: 'command',
    ...pin,
    signature: order,
    ...change,
  });
  const delta = (
    base: number,
    span: number,
    by: SigningKey | null,
    root: string = ROOT,
  ): Message<'delta'> => ({
    type: 'delta',
    modelTag: 64,
    base: asWeightsVersion(base),
    span,
    proof: { root: asRoot(root), signature: by === null ? null : signVersion(by, at(43)) },
    payload: Uint8Array.of(0, 0),
    trafficClass: 'live',
    traceparent: null,
  });
  const begin = (by: SigningKey | null): Message<'snapshotBegin'> => ({
    type: 'snapshotBegin',
    version: asWeightsVersion(43),
    proof: { root: ROOT, signature: by === null ? null : signVersion(by, at(43)) },
    firstChunk: 0,
  });
  return [
    entry('a delta', delta(42, 1, FIRST)),
    entry('a squashed delta to the same version has the same signature', delta(3, 40, FIRST)),
    entry('a snapshot of the same version as well', begin(FIRST)),
    entry('a delta to another version', delta(42, 2, FIRST)),
    entry('a delta with another root', delta(42, 1, FIRST, OTHER_ROOT)),
    entry('a delta, unsigned', delta(42, 1, null)),
    entry('a delta, signed by another key', delta(42, 1, SECOND)),
    entry('a snapshot, unsigned', begin(null)),
    entry('a command', command()),
    entry('a command for another agent', command(), 'edge-8'),
    entry('a command with another id', command({ id: 8 })),
    entry('a command with another action', command({ action: 'follow' })),
    entry('a command with another version', command({ version: asWeightsVersion(39) })),
    entry('a command, unsigned', command({ signature: null })),
  ];
}
