/** The keys of the vectors, and statements that they have signed. */
import {
  asAgentId,
  asLineId,
  asModelDigest,
  asPublicKey,
  asRoot,
  asWeightsVersion,
} from '@freshet/protocol/ids';
import { SigningKey } from '@freshet/protocol/signature';
import {
  commandStatement,
  rotationStatement,
  type Statement,
  versionStatement,
} from '@freshet/protocol/statements';
import { bytesOfHex, hexOf } from './hex.ts';
import { LINE_ID, MODEL_DIGEST, ROOT } from './message-valid.ts';

/** RFC 8032 §7.1, test 1; and two seeds that nobody takes for secrets. */
const SEEDS = {
  'RFC 8032, test 1': '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
  'test key 2': '02'.repeat(32),
  'test key 3': '03'.repeat(32),
};

export const KEYS = Object.entries(SEEDS).map(([name, seed]) => ({
  name,
  seed,
  key: SigningKey.fromSeed(bytesOfHex(seed)),
}));

/** The three keys, oldest first. */
export const [FIRST, SECOND, THIRD] = KEYS.map(({ key }) => key) as [SigningKey, SigningKey, SigningKey];

/** What is said, in the names of PROTOCOL.md; digests, keys and ids of lines in hex. */
type Said =
  | {
      readonly kind: 'version';
      readonly modelDigest: string;
      readonly version: number;
      readonly root: string;
    }
  | { readonly kind: 'rotation'; readonly serial: number; readonly publicKey: string }
  | {
      readonly kind: 'command';
      readonly agentId: string;
      readonly id: number;
      readonly action: 'pin' | 'follow';
      readonly version: number | null;
    };

export interface StatementVector {
  readonly name: string;
  readonly lineId: string;
  readonly says: Said;
  /** The bytes that are signed. */
  readonly statement: string;
  readonly signer: string;
  readonly signature: string;
}

/** The bytes of a statement that says this. */
export function statementOf(lineId: string, said: Said): Statement {
  const line = asLineId(lineId);
  switch (said.kind) {
    case 'version': {
      const position = { version: asWeightsVersion(said.version), root: asRoot(said.root) };
      return versionStatement(line, asModelDigest(said.modelDigest), position);
    }
    case 'rotation':
      return rotationStatement(line, said.serial, asPublicKey(said.publicKey));
    case 'command': {
      const version = said.version === null ? null : asWeightsVersion(said.version);
      return commandStatement(line, asAgentId(said.agentId), { id: said.id, action: said.action, version });
    }
  }
}

function signed(name: string, says: Said, key = FIRST): StatementVector {
  const statement = statementOf(LINE_ID, says);
  const signature = key.sign(statement);
  return { name, lineId: LINE_ID, says, statement: hexOf(statement), signer: key.publicKey, signature };
}

const said = (version: number): Said => ({ kind: 'version', modelDigest: MODEL_DIGEST, version, root: ROOT });

export const STATEMENTS: readonly StatementVector[] = [
  signed('a version', said(42)),
  signed('the next version', said(43)),
  signed('the largest version', said(Number.MAX_SAFE_INTEGER)),
  signed('a version, by the second key', said(42), SECOND),
  signed('the first rotation', { kind: 'rotation', serial: 1, publicKey: SECOND.publicKey }),
  signed('the second rotation', { kind: 'rotation', serial: 2, publicKey: THIRD.publicKey }, SECOND),
  signed('a pin', { kind: 'command', agentId: 'edge-7', id: 7, action: 'pin', version: 40 }),
  signed('a follow', { kind: 'command', agentId: 'edge-7', id: 8, action: 'follow', version: null }),
  signed('a command for the longest id', {
    kind: 'command',
    agentId: 'Z'.repeat(128),
    id: Number.MAX_SAFE_INTEGER,
    action: 'pin',
    version: 2 ** 33,
  }),
];
