/** Takes one agent back with the real command and forward again, while training goes on. */
import type { RollbackReport } from '@freshet/edge-agent/control/agent-control';
import type { Position } from '@freshet/protocol/ids';
import type { AgentHandle, Fleet } from './fleet.ts';

const VERSIONS_BACK = 10;

export interface RollbackExercise {
  readonly agent: string;
  readonly from: number;
  readonly to: number;
  /** Version that was served after going forward again. */
  readonly forwardTo: number;
  /** The roots of both, re-derived from the weights by the agent, are those that the trainer logged back then. */
  readonly bitIdentical: boolean;
  /** From the order to the first answer of the old version. */
  readonly backMs: number;
}

/** Null when the agent has no earlier version to go back to. */
export async function exerciseRollback(fleet: Fleet, agent: AgentHandle): Promise<RollbackExercise | null> {
  const { versionCount } = await fleet.agentStatus(agent);
  const count = Math.min(VERSIONS_BACK, versionCount - 1);
  if (count < 1) return null;
  const back = (await fleet.agentCommand(agent, ['rollback', '--by', String(count)])) as RollbackReport;
  const backRoot = await provenRoot(fleet, agent, back.after);
  const forward = (await fleet.agentCommand(agent, ['rollback', 'head'])) as RollbackReport;
  const forwardRoot = await provenRoot(fleet, agent, forward.after);
  return {
    agent: agent.name,
    from: back.before?.version ?? 0,
    to: back.after.version,
    forwardTo: forward.after.version,
    bitIdentical: backRoot && forwardRoot,
    backMs: back.durationMs,
  };
}

/**
 * Whether the agent, deriving the weights of `position` anew from what is on its disk, gets the very root that the
 * trainer's log has for that version.
 */
async function provenRoot(fleet: Fleet, agent: AgentHandle, { version, root }: Position): Promise<boolean> {
  const { versions } = (await fleet.trainerGet(`/versions?limit=1&before=${version + 1}`)) as VersionPage;
  const verified = await fleet.agentVerification(agent);
  const check = verified.versions.find((each) => each.version === version);
  return versions[0]?.version === version && versions[0].root === root && check?.ok === true;
}

interface VersionPage {
  readonly versions: readonly Position[];
}
