/** Brings a publish to all sessions, a batch per turn of the event loop, so that other work has its turns as well. */
import type { Session } from './session.ts';

/** Sessions that are served in one turn of the event loop. */
const PUMPS_PER_TURN = 64;

export class FanOut {
  readonly #toPump = new Set<Session>();
  readonly #done: () => void;

  /** `done` is called when all sessions of the newest publish were served. */
  constructor(done: () => void) {
    this.#done = done;
  }

  /** Serves the first batch now. */
  start(sessions: Iterable<Session>): void {
    for (const session of sessions) this.#toPump.add(session);
    this.#pumpBatch();
  }

  /** `session` has ended. */
  drop(session: Session): void {
    this.#toPump.delete(session);
  }

  /** Nobody is served any more. */
  stop(): void {
    this.#toPump.clear();
  }

  #pumpBatch(): void {
    let turns = 0;
    for (const session of this.#toPump) {
      this.#toPump.delete(session);
      session.pump();
      if (++turns === PUMPS_PER_TURN) break;
    }
    if (this.#toPump.size > 0) setImmediate(() => this.#pumpBatch());
    else this.#done();
  }
}
