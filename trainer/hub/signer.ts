/**
 * What makes the hub's messages the publisher's: signatures over versions and commands, made when they are sent, with
 * the newest key. So old versions, too, are good for agents that have followed the key through its rotations.
 */
import type {
  AgentId,
  LineId,
  ModelDigest,
  Position,
  Proof,
  PublicKey,
  Signature,
} from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import type { SigningKey } from '@freshet/protocol/signature';
import { commandStatement, type Order, versionStatement } from '@freshet/protocol/statements';

/** As in `welcome`: all keys of the line after its first, oldest first. */
export type Rotations = MessageNamed<DownstreamMessage, 'welcome'>['rotations'];

/** Signs for one line, or leaves everything unsigned. */
export interface Signer {
  /** Null: there are no signatures. */
  readonly publicKey: PublicKey | null;
  readonly rotations: Rotations;
  prove(model: ModelDigest, position: Position): Proof;
  signOrder(agentId: AgentId, order: Order): Signature | null;
}

/** For a hub without a key. */
export const UNSIGNED: Signer = {
  publicKey: null,
  rotations: [],
  prove: (_model, { root }) => ({ root, signature: null }),
  signOrder: () => null,
};

/**
 * Versions whose signatures are kept: all who connect at a time are welcomed with the same one, and all who lag take
 * the same chain, each in frames of its own. Making one is the dearest part of a small frame; keeping it is 0.2 kB.
 */
const SIGNATURES_KEPT_MAX = 4096;

export class KeySigner implements Signer {
  readonly publicKey: PublicKey;
  readonly rotations: Rotations;
  readonly #key: SigningKey;
  readonly #lineId: LineId;
  /** By root, which covers model and version. Oldest first. */
  readonly #signatures = new Map<Position['root'], Signature>();

  constructor(key: SigningKey, lineId: LineId, rotations: Rotations) {
    this.publicKey = key.publicKey;
    this.rotations = rotations;
    this.#key = key;
    this.#lineId = lineId;
  }

  prove(model: ModelDigest, position: Position): Proof {
    const { root } = position;
    let signature = this.#signatures.get(root);
    if (signature === undefined) {
      signature = this.#key.sign(versionStatement(this.#lineId, model, position));
      this.#signatures.set(root, signature);
      for (const oldest of this.#signatures.keys()) {
        if (this.#signatures.size <= SIGNATURES_KEPT_MAX) break;
        this.#signatures.delete(oldest);
      }
    }
    return { root, signature };
  }

  signOrder(agentId: AgentId, order: Order): Signature {
    return this.#key.sign(commandStatement(this.#lineId, agentId, order));
  }
}
