/**
 * The order in which one session sends an agent its unanswered commands: each once, by id, and a pin not before the agent
 * has the version. Sent early, it would be answered with a refusal for good.
 */
import type { WeightsVersion } from '@freshet/protocol/ids';
import type { Command } from '../history/version-log-commands.ts';

export class CommandFeed {
  readonly #pending: (after: number) => readonly Command[];
  #lastId = 0;
  /** Version that the next command pins and the agent does not have yet. */
  #awaited: WeightsVersion | null = null;

  /** `pending`: the agent's unanswered commands with ids above `after`, in order. */
  constructor(pending: (after: number) => readonly Command[]) {
    this.#pending = pending;
  }

  /** Whether `take` would be in vain, were there no new commands. Cheap. */
  isWaitingAbove(confirmed: number): boolean {
    return this.#awaited === null || this.#awaited > confirmed;
  }

  /** The commands that an agent which has confirmed version `confirmed` (0: none) can be sent now. */
  take(confirmed: number): readonly Command[] {
    this.#awaited = null;
    const due: Command[] = [];
    for (const command of this.#pending(this.#lastId)) {
      if (command.version !== null && command.version > confirmed) {
        this.#awaited = command.version;
        break;
      }
      due.push(command);
      this.#lastId = command.id;
    }
    return due;
  }
}
