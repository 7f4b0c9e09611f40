/**
 * The row of `publisher`: whose versions this device takes. It outlives the option that made it, so that an agent
 * started without the option does not believe just anybody.
 */
import type { PublicKey } from '@freshet/protocol/ids';
import type { PublisherPin } from '../core/publisher-trust.ts';
import type { StoreDatabase } from './store-database.ts';

export interface PinnedKeys {
  /** As the operator gave it. */
  readonly configured: PublicKey;
  /** The same, or what the publisher has rotated it to since. */
  readonly current: PublicKey;
}

interface PublisherRow {
  readonly configured_key: PublicKey;
  readonly current_key: PublicKey;
}

export class PublisherTable implements PublisherPin {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  /** Null while no key is pinned. @throws STORE_CORRUPT */
  keys(): PinnedKeys | null {
    const row = this.#database.read(() =>
      this.#database.connection
        .prepare<[], PublisherRow>('SELECT configured_key, current_key FROM publisher')
        .get(),
    );
    return row === undefined ? null : { configured: row.configured_key, current: row.current_key };
  }

  current(): PublicKey | null {
    return this.keys()?.current ?? null;
  }

  /**
   * Pins what the operator has given; null for nothing. A key that was given before changes nothing: the rotations
   * since then stand. Any other takes the place of what was pinned. @throws STORE_WRITE_FAILED
   */
  configure(key: PublicKey | null): void {
    if (key === (this.keys()?.configured ?? null)) return;
    this.#database.write(() => {
      const { connection } = this.#database;
      connection.prepare('DELETE FROM publisher').run();
      if (key === null) return;
      connection
        .prepare('INSERT INTO publisher (id, configured_key, current_key) VALUES (1, ?, ?)')
        .run(key, key);
    });
  }

  follow(next: PublicKey): void {
    if (next === this.current()) return;
    this.#database.write(() =>
      this.#database.connection.prepare('UPDATE publisher SET current_key = ?').run(next),
    );
  }
}
