/**
 * The part of an agent that follows a hub, without a predictor: the real link, session and store. What is stored counts
 * as served at once.
 */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { HubLink, syncUrlOf } from '@freshet/edge-agent/link/hub-link';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { asAgentId } from '@freshet/protocol/ids';
import { pino } from 'pino';
import { temporaryDirectory } from './temporary-directory.ts';

export interface LinkedAgent {
  readonly store: WeightStore;
  readonly link: HubLink;
}

/** Follows the hub at `url` until the test ends; after a broken connection it comes back at once. */
export function linkAgent(test: TestContext, url: string): LinkedAgent {
  const store = WeightStore.open(join(temporaryDirectory(test), 'weights.db'), { clock: () => 0 });
  const link = new HubLink({
    syncUrl: syncUrlOf(url),
    log: pino({ level: 'silent' }),
    random: () => 0,
    ports: {
      store,
      publisher: store.publisher,
      agentId: asAgentId('device'),
      software: 'test',
      served: () => store.head(),
      onAdvanced: () => setImmediate(() => link.session?.acknowledge()),
      onRefused: () => undefined,
      onCommand: () => undefined,
    },
    inferenceRequests: () => 0,
    onStateChange: () => undefined,
  });
  test.after(async () => {
    await link.close();
    store.close();
  });
  link.open();
  return { store, link };
}
