/**
 * The part of an agent that follows a hub, without a predictor: the real link, session, store and queue of samples. What is
 * stored counts as served at once.
 */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { FeedbackCourier } from '@freshet/edge-agent/feedback/feedback-courier';
import { HubLink, syncUrlOf } from '@freshet/edge-agent/link/hub-link';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { asAgentId } from '@freshet/protocol/ids';
import { pino } from 'pino';
import { temporaryDirectory } from './temporary-directory.ts';

export interface LinkedAgent {
  readonly store: WeightStore;
  readonly link: HubLink;
  /** Of the store's queue of samples. */
  readonly courier: FeedbackCourier;
}

/** Follows the hub at `url` until the test ends; after a broken connection it comes back at once. */
export function linkAgent(test: TestContext, url: string): LinkedAgent {
  const store = WeightStore.open(join(temporaryDirectory(test), 'weights.db'), { clock: () => 0 });
  const log = pino({ level: 'silent' });
  const link = new HubLink({
    syncUrl: syncUrlOf(url),
    log,
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
      onSampleFormat: (format) => courier.begin(format),
      onSamplesAnswered: (answer) => courier.answered(answer),
    },
    inferenceRequests: () => 0,
    onStateChange: () => undefined,
  });
  const courier = new FeedbackCourier({
    queue: store.feedback,
    session: () => link.session,
    random: () => 0,
    log,
    onAnswered: () => undefined,
  });
  test.after(async () => {
    await link.close();
    courier.close();
    store.close();
  });
  link.open();
  return { store, link, courier };
}
