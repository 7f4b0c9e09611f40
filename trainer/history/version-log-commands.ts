/**
 * Operator's orders to agents, kept in the version log's file until the agent has answered: an order given while a
 * device is away, or just before the hub restarts, still arrives. Orders are never merged; a device carries them out
 * in the order of their ids.
 */
import type { AgentId, WeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed } from '@freshet/protocol/messages';
import type { LogDatabase } from './version-log-database.ts';

export type CommandAction = MessageNamed<DownstreamMessage, 'command'>['action'];

export interface Command {
  readonly id: number;
  readonly agentId: AgentId;
  readonly action: CommandAction;
  /** Version to pin; null for `follow`. */
  readonly version: WeightsVersion | null;
  readonly createdAtMs: number;
  /** What the agent answered, or null while it has not. */
  readonly answer: { readonly ok: boolean; readonly outcome: string } | null;
}

interface CommandRow {
  readonly id: number;
  readonly agent_id: AgentId;
  readonly action: CommandAction;
  readonly version: WeightsVersion | null;
  readonly created_at_ms: number;
  readonly ok: 0 | 1 | null;
  readonly outcome: string | null;
}

export class CommandQueue {
  readonly #database: LogDatabase;
  readonly #clock: () => number;

  /** `clock` returns milliseconds since the epoch. */
  constructor(database: LogDatabase, clock: () => number) {
    this.#database = database;
    this.#clock = clock;
  }

  /** One command for each agent, all or none; durable on return. */
  enqueue(
    agentIds: readonly AgentId[],
    action: CommandAction,
    version: WeightsVersion | null,
  ): readonly Command[] {
    const createdAtMs = this.#clock();
    return this.#database.write(() => {
      const insert = this.#database.prepare<[string, string, number | null, number]>(
        'INSERT INTO commands (agent_id, action, version, created_at_ms) VALUES (?, ?, ?, ?)',
      );
      return agentIds.map((agentId) => {
        const { lastInsertRowid } = insert.run(agentId, action, version, createdAtMs);
        return { id: Number(lastInsertRowid), agentId, action, version, createdAtMs, answer: null };
      });
    });
  }

  /** Commands that `agentId` has not answered, oldest first, with ids above `after`. */
  pendingOf(agentId: AgentId, after = 0): readonly Command[] {
    return this.#database.read(() =>
      this.#database
        .prepare<[string, number], CommandRow>(
          'SELECT * FROM commands WHERE agent_id = ? AND id > ? AND outcome IS NULL ORDER BY id',
        )
        .all(agentId, after)
        .map(commandOfRow),
    );
  }

  /** Null for an id that was never given out. */
  find(id: number): Command | null {
    const row = this.#database.read(() =>
      this.#database.prepare<[number], CommandRow>('SELECT * FROM commands WHERE id = ?').get(id),
    );
    return row === undefined ? null : commandOfRow(row);
  }

  /** Records the answer of `agentId`; false, and no change, when it has no unanswered command with this id. */
  complete(id: number, agentId: AgentId, ok: boolean, outcome: string): boolean {
    return this.#database.write(() => {
      const { changes } = this.#database
        .prepare<[number, string, number, string]>(
          'UPDATE commands SET ok = ?, outcome = ? WHERE id = ? AND agent_id = ? AND outcome IS NULL',
        )
        .run(ok ? 1 : 0, outcome, id, agentId);
      return changes === 1;
    });
  }
}

function commandOfRow(row: CommandRow): Command {
  const answer = row.outcome === null ? null : { ok: row.ok === 1, outcome: row.outcome };
  return {
    id: row.id,
    agentId: row.agent_id,
    action: row.action,
    version: row.version,
    createdAtMs: row.created_at_ms,
    answer,
  };
}
