/**
 * Assertions for broken invariants: bugs, not failures. They stay on in production; nothing catches them but the
 * entry points, which log and exit with 70. (Not `node:assert`: this package runs wherever a codec is needed.)
 */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`invariant broken: ${message}`);
    this.name = 'InvariantError';
  }
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Marks a branch that the types rule out. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable value ${JSON.stringify(value)}`);
}
