/** tfjs Dropout → nothing: at inference it passes its input on. */
import type { GraphValue } from '../graph-value.ts';
import { type LayerCall, soleInput } from '../layer-call.ts';

export function exportDropout(call: LayerCall): GraphValue {
  return soleInput(call);
}
