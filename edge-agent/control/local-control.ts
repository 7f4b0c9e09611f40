/** Control of the agent in this very process: what its control API answers with. */
import type { Agent } from '../agent/agent.ts';
import type { RollbackTarget } from '../core/rollback-target.ts';
import type { FeedbackStatus } from '../store/feedback-table.ts';
import type { VerifyReport } from '../store/verify.ts';
import type { VersionInfo } from '../store/version-table.ts';
import type { AgentStatus, DeviceControl, RollbackReport } from './agent-control.ts';

export class LocalControl implements DeviceControl {
  readonly #agent: Agent;
  readonly #url: string;

  constructor(agent: Agent, url: string) {
    this.#agent = agent;
    this.#url = url;
  }

  async status(): Promise<AgentStatus> {
    return this.#agent.status(this.#url);
  }

  async versions(): Promise<readonly VersionInfo[]> {
    return this.#agent.store.versions();
  }

  rollback(target: RollbackTarget): Promise<RollbackReport> {
    return this.#agent.rollback(target);
  }

  async verify(): Promise<VerifyReport> {
    return this.#agent.store.verify();
  }

  async feedback(): Promise<FeedbackStatus> {
    return this.#agent.store.feedback.status();
  }
}
