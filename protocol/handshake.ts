/**
 * The pure half of the handshake: which protocol version both sides speak, and what the agent can take.
 */
import { FreshetError } from './errors.ts';
import { DOWNSTREAM_FRAME_BYTES_MAX } from './limits.ts';
import { VALUE_FORMATS, type ValueFormat } from './payload/value-format.ts';
import { PROTOCOL_VERSION, PROTOCOL_VERSION_FLOOR } from './version.ts';

export interface ProtocolRange {
  readonly protocolMin: number;
  readonly protocolMax: number;
}

/** What this code offers in `hello`. */
export const OUR_PROTOCOL_RANGE: ProtocolRange = {
  protocolMin: PROTOCOL_VERSION_FLOOR,
  protocolMax: PROTOCOL_VERSION,
};

/** @throws PROTOCOL_UNSUPPORTED when a hub chose a version that it was not offered. */
export function checkNegotiated(protocol: number, ours: ProtocolRange = OUR_PROTOCOL_RANGE): void {
  if (protocol >= ours.protocolMin && protocol <= ours.protocolMax) return;
  throw new FreshetError(
    'PROTOCOL_UNSUPPORTED',
    `the hub chose protocol ${protocol}, which this agent (${ours.protocolMin}–${ours.protocolMax}) did not offer: ` +
      'upgrade the agent',
    { details: { protocol, ours } },
  );
}

/**
 * The newest protocol version in both ranges.
 * @throws PROTOCOL_UNSUPPORTED when they do not meet; the message names both ranges and the side to upgrade.
 */
export function negotiateProtocol(theirs: ProtocolRange, ours: ProtocolRange = OUR_PROTOCOL_RANGE): number {
  const newest = Math.min(theirs.protocolMax, ours.protocolMax);
  if (newest >= Math.max(theirs.protocolMin, ours.protocolMin)) return newest;
  const behind = theirs.protocolMax < ours.protocolMin ? 'agent' : 'hub';
  throw new FreshetError(
    'PROTOCOL_UNSUPPORTED',
    `the agent speaks protocol ${theirs.protocolMin}–${theirs.protocolMax}, the hub ` +
      `${ours.protocolMin}–${ours.protocolMax}: upgrade the ${behind}`,
    { details: { theirs, ours } },
  );
}

/** What an agent can take, as it says in `hello`. */
export interface Capabilities {
  /** Formats that the values of a delta may have. f32 is always among them. */
  readonly valueFormats: ReadonlySet<ValueFormat>;
  /** Largest message, in bytes; not above what this code ever sends. */
  readonly frameBytesMax: number;
}

/** Formats that this code does not know (an agent may be newer) are left out; f32 is understood without being listed. */
export function capabilitiesOf(hello: {
  readonly valueFormats: readonly string[];
  readonly frameBytesMax: number;
}): Capabilities {
  const known = VALUE_FORMATS.filter((format) => format === 'f32' || hello.valueFormats.includes(format));
  return {
    valueFormats: new Set(known),
    frameBytesMax: Math.min(hello.frameBytesMax, DOWNSTREAM_FRAME_BYTES_MAX),
  };
}
