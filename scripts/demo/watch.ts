/** Looks at the fleet again and again and draws what it sees. */
import { setTimeout as delay } from 'node:timers/promises';
import { HeldOutDigits } from './digits.ts';
import type { AgentHandle, Fleet } from './fleet.ts';
import type { AgentRow, Screen, View } from './screen.ts';

const INTERVAL_MS = 500;
/** Enough to see accuracy move, little enough to measure it at each look. */
const DIGIT_COUNT = 500;

export class Watch {
  readonly #fleet: Fleet;
  readonly #screen: Screen;
  readonly #digits = new HeldOutDigits(DIGIT_COUNT);

  constructor(fleet: Fleet, screen: Screen) {
    this.#fleet = fleet;
    this.#screen = screen;
  }

  /** Resolves with the first view that `isEnough`. @throws UNREACHABLE when a process of the fleet has ended */
  async until(isEnough: (view: View) => boolean): Promise<View> {
    while (true) {
      const view = await this.#look();
      this.#screen.show(view);
      if (isEnough(view)) return view;
      await this.#fleet.orDeath(delay(INTERVAL_MS));
    }
  }

  async #look(): Promise<View> {
    const trainer = await this.#fleet.trainerStatus();
    const agents = await Promise.all(this.#fleet.agents.map((agent) => this.#lookAt(agent)));
    return { trainer, agents, digitCount: DIGIT_COUNT };
  }

  async #lookAt(agent: AgentHandle): Promise<AgentRow> {
    const { name, url } = agent;
    const status = await this.#fleet.agentStatus(agent);
    const { modelId, served } = status;
    const accuracy =
      modelId === null || served === null
        ? null
        : await this.#fleet.orDeath(this.#digits.accuracyOf(url, modelId));
    return { name, url, status, accuracy };
  }
}
