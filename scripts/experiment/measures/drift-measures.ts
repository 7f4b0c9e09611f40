/** What a change of the stream costs: how deep accuracy falls, how long it takes to come back, what is forgotten. */
import { assert } from '@freshet/protocol/assert';
import type { Trace, Window } from './trace.ts';

/** How far `trace` is below `other` in the worst of all windows of `length` images; negative where it never is. */
export function worstGap(trace: Trace, other: Trace, length: number): number {
  const others = other.windows(length);
  const gaps = trace.windows(length).map(({ end, accuracy }, i) => {
    const beside = others[i];
    assert(beside?.end === end, 'traces of the same stream');
    return beside.accuracy - accuracy;
  });
  return Math.max(...gaps);
}

export interface Recovery {
  /** Accuracy in the window before the change, less that in the worst one after it. */
  readonly dip: number;
  /** Images from the change to the end of the first window after the dip within `tolerance` of before; null: never. */
  readonly samplesToRecover: number | null;
}

/** Around a change at image `change`, of the windows up to image `end`. @param tolerance 0.01 is a percentage point */
export function recovery(
  trace: Trace,
  { change, end, length, tolerance }: Readonly<Record<'change' | 'end' | 'length' | 'tolerance', number>>,
): Recovery {
  const before = trace.accuracy(change - length, change);
  const after: Window[] = [];
  for (let to = change + length; to <= Math.min(end, trace.end); to += length) {
    after.push({ end: to, accuracy: trace.accuracy(to - length, to) });
  }
  assert(after.length > 0, 'a window after the change');
  const lowest = after.reduce((worst, window) => (window.accuracy < worst.accuracy ? window : worst));
  const recovered = after.find((window) => window.end >= lowest.end && window.accuracy >= before - tolerance);
  return {
    dip: before - lowest.accuracy,
    samplesToRecover: recovered === undefined ? null : recovered.end - change,
  };
}

/**
 * Forgetting (Chaudhry et al. 2018): mean over the tasks but the last of the best accuracy that was ever had on a task
 * before the end, less the one at the end. `accuracies[phase][task]`, tested after each phase.
 */
export function forgetting(accuracies: readonly (readonly number[])[]): number {
  const final = accuracies.at(-1);
  assert(final !== undefined && accuracies.length > 1, 'accuracies after two phases at least');
  const tasks = accuracies.length - 1;
  let sum = 0;
  for (let task = 0; task < tasks; task++) {
    const best = Math.max(...accuracies.slice(task, -1).map((row) => row[task]!));
    sum += best - final[task]!;
  }
  return sum / tasks;
}
