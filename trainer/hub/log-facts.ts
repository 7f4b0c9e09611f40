/** What the sessions' state machine needs to know, read from the log and the list of agents. */
import { assert } from '@freshet/protocol/assert';
import type { HubFacts } from '../core/session-state.ts';
import type { VersionLog } from '../history/version-log.ts';
import type { AgentRoster } from './agent-roster.ts';
import type { FeedbackDesk } from './feedback-desk.ts';

/** The log's facts as they are when read; sessions start when there is a head. */
export function factsOf(
  log: VersionLog,
  roster: AgentRoster,
  feedback: FeedbackDesk,
  modelFrameBytes: () => number,
): HubFacts {
  return {
    lineId: log.lineId,
    get modelDigest() {
      const model = log.model();
      assert(model !== null, 'a log with a head has a model');
      return model.digest;
    },
    get modelFrameBytes() {
      return modelFrameBytes();
    },
    get takesSamples() {
      return feedback.isOpen;
    },
    get head() {
      const head = log.head();
      assert(head !== null, 'sessions start when there is a head');
      return head;
    },
    rootOf: (version) => log.rootOf(version),
    hasRoomFor: (agentId) => roster.hasRoomFor(agentId),
  };
}
