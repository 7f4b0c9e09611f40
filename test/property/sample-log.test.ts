/**
 * A sample log against a list in memory, over random sequences of everything that its two ends can be asked, with both
 * ends closed and opened again now and then.
 */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import fc from 'fast-check';
import { LearnerSampleLog } from '../../trainer/history/sample-log/learner-sample-log.ts';
import { SampleInbox } from '../../trainer/history/sample-log/sample-inbox.ts';
import { DIGITS, digit, samplePath } from '../support/sample-logs.ts';
import '../support/seed.ts';

const LIMITS = { historyMax: 20, waitingMax: 12, bytesMax: 2 ** 20 };
const FORGOTTEN_IDS_MAX = 4;
const RUNS = 40;

type Operation =
  | { readonly do: 'append'; readonly ids: readonly (number | null)[] }
  | { readonly do: 'source'; readonly count: number }
  | { readonly do: 'step'; readonly take: number }
  | { readonly do: 'checkpoint'; readonly forget: readonly number[] }
  | { readonly do: 'keepOnly'; readonly keep: readonly boolean[] }
  | { readonly do: 'reopen' };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      ids: fc.array(fc.option(fc.nat({ max: 30 }), { freq: 3 }), { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('source' as const), count: fc.nat({ max: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('step' as const), take: fc.nat({ max: 8 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('checkpoint' as const),
      forget: fc.array(fc.nat(), { maxLength: 8 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('keepOnly' as const),
      keep: fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'reopen' as const }) },
);

/** What the log should be: rows by arrival, each with what makes it out. */
class Reference {
  readonly rows = new Map<number, { readonly id: number | null; readonly content: number | 'source' }>();
  readonly forgottenIds: number[] = [];
  readonly steps = new Map<number, number>();
  arrivalEnd = 0;
  takenEnd = 0;
  step = -1;
  sourceEnd = 0;

  isKnown(id: number): boolean {
    return this.forgottenIds.includes(id) || [...this.rows.values()].some((row) => row.id === id);
  }

  forget(arrivals: readonly number[]): void {
    // Ascending, as the log goes through its rows.
    for (const arrival of [...new Set(arrivals)].sort((left, right) => left - right)) {
      const row = this.rows.get(arrival);
      if (row === undefined) continue;
      this.rows.delete(arrival);
      if (row.id !== null) this.forgottenIds.push(row.id);
    }
    this.forgottenIds.splice(0, this.forgottenIds.length - FORGOTTEN_IDS_MAX);
  }
}

class Both {
  readonly reference = new Reference();
  readonly #path: string;
  #inbox: SampleInbox;
  #log: LearnerSampleLog;

  constructor(path: string) {
    this.#path = path;
    this.#inbox = this.#openInbox();
    this.#log = this.#openLog();
  }

  run(operation: Operation): void {
    const { reference } = this;
    switch (operation.do) {
      case 'append':
        this.#append(operation.ids);
        return;
      case 'source': {
        this.#log.appendFromSource(Math.max(0, reference.sourceEnd - 1), operation.count + 1);
        const added = reference.sourceEnd === 0 ? operation.count + 1 : operation.count;
        for (let i = 0; i < added; i++) {
          reference.rows.set(reference.arrivalEnd++, { id: null, content: 'source' });
        }
        reference.sourceEnd += added;
        return;
      }
      case 'step': {
        reference.takenEnd = Math.min(reference.arrivalEnd, reference.takenEnd + operation.take);
        reference.step++;
        reference.steps.set(reference.step, reference.takenEnd);
        this.#log.takeStep(reference.step, reference.takenEnd);
        return;
      }
      case 'checkpoint': {
        if (reference.takenEnd === 0) return;
        const gone = operation.forget.map((n) => n % reference.takenEnd);
        this.#log.flush();
        this.#log.checkpointed(reference.step, 0, gone);
        reference.forget(gone);
        for (const step of reference.steps.keys()) if (step < reference.step) reference.steps.delete(step);
        return;
      }
      case 'keepOnly': {
        const taken = [...reference.rows.keys()].filter((arrival) => arrival < reference.takenEnd);
        const isKept = (_: number, i: number) => operation.keep[i % operation.keep.length]!;
        this.#log.keepOnly(Uint32Array.from(taken.filter(isKept)), reference.takenEnd);
        reference.forget(taken.filter((arrival, i) => !isKept(arrival, i)));
        return;
      }
      case 'reopen':
        this.close();
        // In the other order, so that each end has been the first.
        this.#log = this.#openLog();
        this.#inbox = this.#openInbox();
    }
  }

  check(): void {
    const { rows, arrivalEnd, takenEnd, step, sourceEnd, steps } = this.reference;
    const { learner: _learner, ...state } = this.#log.state();
    assert.deepEqual(state, { arrivalEnd, takenEnd, step, sourceEnd, sampleCount: rows.size });
    assert.deepEqual([this.#inbox.waiting, this.#inbox.sampleCount], [arrivalEnd - takenEnd, rows.size]);
    const arrivals = [...rows.keys()];
    assert.deepEqual([...this.#log.arrivals(0, arrivalEnd)], arrivals);
    const contents = this.#log.read(arrivals).map((sample) => {
      return 'sourceIndex' in sample ? 'source' : sample.input[0]! + 256 * sample.input[1]!;
    });
    assert.deepEqual(
      contents,
      [...rows.values()].map(({ content }) => content),
    );
    for (let n = 0; n <= step; n++) assert.equal(this.#log.stepEnd(n), steps.get(n) ?? null);
  }

  close(): void {
    this.#inbox.close();
    this.#log.close();
  }

  #append(ids: readonly (number | null)[]): void {
    const { reference } = this;
    const { waitingMax, samplesMax } = this.#inbox.capacity;
    const first = reference.arrivalEnd;
    const outcome = this.#inbox.append(
      ids.map((id, i) => digit(first + i, id === null ? null : `id ${id}`)),
      'http',
    );
    const isNew = (id: number | null, i: number) =>
      id === null || (!reference.isKnown(id) && ids.indexOf(id) === i);
    const fresh = ids.map((id, i) => ({ id, content: first + i, isNew: isNew(id, i) }));
    const taken = fresh.filter((each) => each.isNew);
    const waiting = reference.arrivalEnd - reference.takenEnd;
    const fits = waiting < waitingMax && reference.rows.size + taken.length <= samplesMax;
    if (!fits && taken.length > 0) {
      assert.deepEqual(outcome, { kind: 'full', waiting });
      return;
    }
    assert.deepEqual(outcome, {
      kind: 'taken',
      taken: taken.length,
      duplicates: ids.length - taken.length,
      waiting: waiting + taken.length,
    });
    for (const { id, content } of taken) reference.rows.set(reference.arrivalEnd++, { id, content });
  }

  #openInbox(): SampleInbox {
    return SampleInbox.open(this.#path, { format: DIGITS, clock: () => 0, limits: LIMITS });
  }

  #openLog(): LearnerSampleLog {
    const options = { format: DIGITS, clock: () => 0, forgottenIdsMax: FORGOTTEN_IDS_MAX };
    return LearnerSampleLog.open(this.#path, options);
  }
}

it('the log is what a list in memory would be', (test) => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 5, maxLength: 40 }), (operations) => {
      const both = new Both(samplePath(test));
      try {
        for (const each of operations) {
          both.run(each);
          both.check();
        }
      } finally {
        both.close();
      }
    }),
    { numRuns: RUNS },
  );
});
