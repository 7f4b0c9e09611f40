/**
 * What a publisher signs, as bytes. Each statement names the line, so that none is good for another one:
 *
 *   version   = 04 ‖ line id (16) ‖ model digest (32) ‖ u64le version ‖ root (32)
 *   rotation  = 05 ‖ line id (16) ‖ u32le serial ‖ public key (32)
 *   command   = 06 ‖ line id (16) ‖ u16le byte length of the agent id ‖ agent id in UTF-8 ‖ u64le command id
 *                  ‖ u8 action (0 pin, 1 follow) ‖ u64le version (0 for none)
 *
 * The leading byte separates the three uses, and goes on from the uses of digest.ts (00 to 03): no statement can be
 * passed off as another, or as something that is hashed. There is one statement per version, whichever way leads to
 * it, so root and signature alone prove that weights are that version of the line and come from the publisher.
 */
import type { AgentId, LineId, ModelDigest, Position, PublicKey } from './ids.ts';
import type { DownstreamMessage, MessageNamed } from './messages.ts';

declare const brand: unique symbol;

/** Bytes that may be signed: made by the functions here and by nothing else. */
export type Statement = Uint8Array & { readonly [brand]: 'Statement' };

/** What a command says, apart from whom it is for. */
export type Order = Pick<MessageNamed<DownstreamMessage, 'command'>, 'id' | 'action' | 'version'>;

const VERSION = 0x04;
const ROTATION = 0x05;
const COMMAND = 0x06;

const ACTION_BYTES = { pin: 0, follow: 1 } as const satisfies Record<Order['action'], number>;

/** "The weights of this root are this version of this line." */
export function versionStatement(
  lineId: LineId,
  modelDigest: ModelDigest,
  { version, root }: Position,
): Statement {
  return statement(Buffer.of(VERSION), hex(lineId), hex(modelDigest), uint64(version), hex(root));
}

/** "From now on `next` signs this line." Said by the key before it; `serial` is 1 for the second key of a line. */
export function rotationStatement(lineId: LineId, serial: number, next: PublicKey): Statement {
  const serialBytes = Buffer.alloc(4);
  serialBytes.writeUInt32LE(serial);
  return statement(Buffer.of(ROTATION), hex(lineId), serialBytes, hex(next));
}

/** "This agent shall carry out this order." */
export function commandStatement(
  lineId: LineId,
  agentId: AgentId,
  { id, action, version }: Order,
): Statement {
  const name = Buffer.from(agentId, 'utf8');
  const nameLength = Buffer.alloc(2);
  nameLength.writeUInt16LE(name.length);
  return statement(
    Buffer.of(COMMAND),
    hex(lineId),
    nameLength,
    name,
    uint64(id),
    Buffer.of(ACTION_BYTES[action]),
    uint64(version ?? NO_VERSION),
  );
}

/** Versions start at 1. */
const NO_VERSION = 0;

function statement(...parts: readonly Uint8Array[]): Statement {
  return Buffer.concat(parts) as Uint8Array as Statement;
}

function hex(digits: string): Buffer {
  return Buffer.from(digits, 'hex');
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
