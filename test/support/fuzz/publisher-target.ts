/** Signatures and key rotations: no damage makes a device believe what the publisher has not said. */
import { strict as assert } from 'node:assert';
import { forgedCommand, forgedVersion, publisherOf } from '@freshet/edge-agent/core/publisher-trust';
import { downstreamCodec } from '@freshet/protocol/codec';
import { asAgentId, asPublicKey, asRoot, asWeightsVersion, type Position } from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import { frozenVectors } from '../vectors/frozen-vectors.ts';
import { bytesOfHex } from '../vectors/hex.ts';
import type { SignedFrameVector, WelcomeVector } from '../vectors/signature-authority.ts';
import type { FuzzSample, FuzzTarget } from './fuzz-target.ts';

type Welcome = MessageNamed<DownstreamMessage, 'welcome'>;

/** The corpus is that of the vectors: whatever else might be signed would be the same with other bytes. */
export function publisherTarget(): FuzzTarget {
  const { welcomes, frames } = frozenVectors('signatures.json').authority;
  return {
    name: 'publisher',
    codes: ['FRAME_MALFORMED', 'FRAME_TOO_LARGE', 'PUBLISHER_UNTRUSTED', 'SIGNATURE_INVALID'],
    corpus: [
      ...welcomes.filter(({ outcome }) => 'publicKey' in outcome).map(greetedBy),
      ...frames.filter(({ code }) => code === null).map(sentBy),
    ],
  };
}

/** All that the signatures of the vectors say of a head: line, model, version and root. */
const SIGNED_HEADS = new Set(
  frozenVectors('signatures.json').authority.welcomes.flatMap(({ frame, outcome }) =>
    'publicKey' in outcome ? [headOf(welcomeOf(bytesOfHex(frame)))] : [],
  ),
);

function headOf({ lineId, modelDigest, head }: Welcome): string {
  return [lineId, modelDigest, head.version, head.proof.root].join();
}

function welcomeOf(bytes: Uint8Array): Welcome {
  const message = downstreamCodec.decode(bytes);
  assert.equal(message.type, 'welcome');
  return message as Welcome;
}

function greetedBy({ pinned, head, frame }: WelcomeVector): FuzzSample {
  const key = asPublicKey(pinned);
  const held: Position | null =
    head === null ? null : { version: asWeightsVersion(head.version), root: asRoot(head.root) };
  const keys = new Set(frozenVectors('signatures.json').valid.keys.map(({ publicKey }) => publicKey));
  return {
    bytes: bytesOfHex(frame),
    decode(bytes) {
      const message = downstreamCodec.decode(bytes);
      if (message.type !== 'welcome') return downstreamCodec.encode(message);
      const believed = publisherOf(message, key, held);
      assert.ok(keys.has(believed), `${believed} has not signed anything`);
      assert.ok(SIGNED_HEADS.has(headOf(message)), 'nobody has signed this head');
      return Buffer.from(believed, 'hex');
    },
  };
}

/** What a signature covers, of every message that has one. */
function sentBy({ agentId, publicKey, welcome, frame }: SignedFrameVector): FuzzSample {
  const session = welcomeOf(bytesOfHex(welcome));
  const [key, agent] = [asPublicKey(publicKey), asAgentId(agentId)];
  const said = (message: DownstreamMessage): string | null => {
    switch (message.type) {
      case 'command': {
        const forgery = forgedCommand(key, session, agent, message);
        if (forgery !== null) throw forgery;
        return [message.id, message.action, message.version].join();
      }
      case 'snapshotBegin':
      case 'delta': {
        const next = message.type === 'delta' ? message.base + message.span : message.version;
        const forgery = forgedVersion(key, session, asWeightsVersion(next), message.proof);
        if (forgery !== null) throw forgery;
        return [next, message.proof.root].join();
      }
      default:
        return null;
    }
  };
  const signed = new Set(
    frozenVectors('signatures.json')
      .authority.frames.filter(({ code }) => code === null)
      .map((vector) => said(downstreamCodec.decode(bytesOfHex(vector.frame)))),
  );
  return {
    bytes: bytesOfHex(frame),
    decode(bytes) {
      const message = downstreamCodec.decode(bytes);
      const words = said(message);
      if (words === null) return downstreamCodec.encode(message);
      assert.ok(signed.has(words), `nobody has signed ${words}`);
      return Buffer.from(words);
    },
  };
}
