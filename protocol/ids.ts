/**
 * Branded identifiers, so that a protocol version cannot be passed as a weights version or one root for another id.
 * The brands exist for the compiler only.
 */
declare const brand: unique symbol;
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Integer ≥ 1, grows by one with each publish, never reused within a line. */
export type WeightsVersion = Brand<number, 'WeightsVersion'>;

/** Digest of the weights of one version together with the model they belong to: 64 lower-case hex digits. */
export type Root = Brand<string, 'Root'>;

/** SHA-256 over the model's name and graph: 64 lower-case hex digits. */
export type ModelDigest = Brand<string, 'ModelDigest'>;

/** Name of one line of versions, drawn at random when a trainer starts a new log: 32 lower-case hex digits. */
export type LineId = Brand<string, 'LineId'>;

/** What an agent calls a sample, the same each time it sends it: 32 lower-case hex digits. */
export type SampleId = Brand<string, 'SampleId'>;

/** Name that a device keeps for life. */
export type AgentId = Brand<string, 'AgentId'>;

/** ed25519 public key of a publisher: 64 lower-case hex digits. */
export type PublicKey = Brand<string, 'PublicKey'>;

/** ed25519 signature: 128 lower-case hex digits. */
export type Signature = Brand<string, 'Signature'>;

/** What proves the weights of a version, and that they come from the publisher. */
export interface Proof {
  readonly root: Root;
  /** Of the publisher (signature.ts); null where it does not sign. */
  readonly signature: Signature | null;
}

/** A version and the proof of what it holds. */
export interface Position {
  readonly version: WeightsVersion;
  readonly root: Root;
}

export const asWeightsVersion = (value: number): WeightsVersion => value as WeightsVersion;
export const asRoot = (value: string): Root => value as Root;
export const asModelDigest = (value: string): ModelDigest => value as ModelDigest;
export const asPublicKey = (value: string): PublicKey => value as PublicKey;
export const asSignature = (value: string): Signature => value as Signature;
export const asLineId = (value: string): LineId => value as LineId;
export const asSampleId = (value: string): SampleId => value as SampleId;
export const asAgentId = (value: string): AgentId => value as AgentId;

const AGENT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Whether `text` can name an agent: it appears in URLs, metric labels and file names. */
export function isAgentId(text: string): text is AgentId {
  return AGENT_ID.test(text);
}

export function samePosition(left: Position | null, right: Position | null): boolean {
  return left?.version === right?.version && left?.root === right?.root;
}
