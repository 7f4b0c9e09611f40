/** The part of a device's status that its database alone tells. */
import type { WeightStore } from '../store/weight-store.ts';
import type { AgentStatus } from './agent-control.ts';

export function statusOfStore(store: WeightStore): Omit<AgentStatus, 'process'> {
  const { identity } = store;
  return {
    modelId: identity?.model.modelId ?? null,
    lineId: identity?.lineId ?? null,
    head: store.head(),
    served: store.target(),
    pinned: store.pinned(),
    versionCount: store.versions().length,
    publisher: store.publisher.keys(),
    fullModelBytes: identity?.model.fileBytes ?? null,
    feedback: store.feedback.totals(),
  };
}
