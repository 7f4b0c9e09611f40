/**
 * The public keys that have signed this line, kept in the version log's file: agents that have pinned an old one are
 * led to the newest by them. The log holds no private key.
 */
import { assert } from '@freshet/protocol/assert';
import type { PublicKey, Signature } from '@freshet/protocol/ids';
import type { LogDatabase } from './version-log-database.ts';

export interface PublisherKey {
  readonly publicKey: PublicKey;
  /** Of the key before it, over the rotation to this one; null for the first. */
  readonly signature: Signature | null;
}

interface KeyRow {
  readonly public_key: PublicKey;
  readonly signature: Signature | null;
}

export class PublisherKeys {
  readonly #database: LogDatabase;
  readonly #clock: () => number;

  /** `clock` returns milliseconds since the epoch. */
  constructor(database: LogDatabase, clock: () => number) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Oldest first; the place in the list is the serial. Empty where the line was never signed. */
  all(): readonly PublisherKey[] {
    return this.#database.read(() =>
      this.#database
        .prepare<[], KeyRow>('SELECT public_key, signature FROM publisher_keys ORDER BY serial')
        .all()
        .map((row) => ({ publicKey: row.public_key, signature: row.signature })),
    );
  }

  /** Adds `keys` behind those there are, all or none; durable on return. @throws STORE_WRITE_FAILED */
  append(keys: readonly PublisherKey[]): void {
    const addedAtMs = this.#clock();
    const first = this.all().length;
    this.#database.write(() => {
      const insert = this.#database.prepare<[number, string, string | null, number]>(
        'INSERT INTO publisher_keys (serial, public_key, signature, added_at_ms) VALUES (?, ?, ?, ?)',
      );
      for (const [i, { publicKey, signature }] of keys.entries()) {
        assert((signature === null) === (first + i === 0), 'every key but the first has a signature');
        insert.run(first + i, publicKey, signature, addedAtMs);
      }
    });
  }
}
