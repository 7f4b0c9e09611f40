/** The one row of `agent_state`: what an operator chose for this device. */
import type { WeightsVersion } from '@freshet/protocol/ids';
import type Database from 'better-sqlite3';

export class AgentStateTable {
  readonly #pinned: Database.Statement<[], WeightsVersion | null>;
  readonly #pin: Database.Statement<[WeightsVersion | null]>;
  readonly #lastCommandId: Database.Statement<[], number>;
  readonly #setLastCommandId: Database.Statement<[number]>;

  constructor(connection: Database.Database) {
    this.#pinned = connection
      .prepare<[], WeightsVersion | null>('SELECT pinned_version FROM agent_state')
      .pluck();
    this.#pin = connection.prepare('UPDATE agent_state SET pinned_version = ?');
    this.#lastCommandId = connection.prepare<[], number>('SELECT last_command_id FROM agent_state').pluck();
    this.#setLastCommandId = connection.prepare('UPDATE agent_state SET last_command_id = ?');
  }

  pinned(): WeightsVersion | null {
    return this.#pinned.get() ?? null;
  }

  pin(version: WeightsVersion | null): void {
    this.#pin.run(version);
  }

  lastCommandId(): number {
    return this.#lastCommandId.get() ?? 0;
  }

  setLastCommandId(id: number): void {
    this.#setLastCommandId.run(id);
  }
}
