/** An agent as the inference protocol sees it. */
import type { InferenceService } from '../serve/oip-app.ts';
import type { Agent } from './agent.ts';

export function inferenceService(agent: Agent): InferenceService {
  return {
    get modelId() {
      return agent.store.identity?.model.modelId ?? null;
    },
    served: () => agent.served(),
    versions: () => agent.store.versions().map(({ version }) => version),
    signature: () => agent.signature(),
    infer: (request) => agent.infer(request),
  };
}
