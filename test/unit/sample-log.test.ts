/**
 * The sample log on real files, with both of its ends open: what is given back, what is taken once, what a full log
 * refuses, what a step records and when samples are forgotten.
 */
import { strict as assert } from 'node:assert';
import { statSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { IncomingSample, Sample } from '@freshet/protocol/sample-format';
import Database from 'better-sqlite3';
import type { StoredSample } from '../../trainer/history/sample-log/learner-sample-log.ts';
import { capacityOf, ROW_BYTES } from '../../trainer/history/sample-log/sample-capacity.ts';
import { digit, openInbox, openLearnerLog, reading, SENSORS, samplePath } from '../support/sample-logs.ts';
import { freshetError } from '../support/serving.ts';

const digits = (first: number, count: number): IncomingSample[] =>
  Array.from({ length: count }, (_, i) => digit(first + i));

const withoutId = ({ input, target }: IncomingSample): Sample => ({ input, target });

/** Bits of floats: −0 and denormals count. Buffers of SQLite and arrays of ours are the same. */
function bytesOf(sample: StoredSample): unknown {
  if ('sourceIndex' in sample) return sample;
  const hex = (array: Uint8Array | Float32Array) =>
    Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('hex');
  const { input, target } = sample;
  return [input instanceof Float32Array, hex(input), typeof target === 'number' ? target : hex(target)];
}

function assertSameSamples(actual: readonly StoredSample[], expected: readonly StoredSample[]): void {
  assert.deepEqual(actual.map(bytesOf), expected.map(bytesOf));
}

describe('samples', () => {
  it('come back as they were sent, in any order, also after a restart', (test) => {
    const path = samplePath(test);
    const inbox = openInbox(test, path);
    const log = openLearnerLog(test, path);
    assert.deepEqual(inbox.append(digits(0, 300), 'http'), {
      kind: 'taken',
      taken: 300,
      duplicates: 0,
      waiting: 300,
    });
    assertSameSamples(
      log.read([7, 299, 0, 7]),
      [7, 299, 0, 7].map((n) => withoutId(digit(n))),
    );
    inbox.close();
    log.close();
    const again = openLearnerLog(test, path);
    assert.equal(again.end, 300);
    assertSameSamples(again.read(again.arrivals(0, 300)), digits(0, 300).map(withoutId));
  });

  it('of floats and vectors come back bit for bit', (test) => {
    const path = samplePath(test);
    const samples = [reading(1), reading(-2.5), reading(0)];
    openInbox(test, path, { format: SENSORS }).append(samples, 'http');
    const log = openLearnerLog(test, path, { format: SENSORS });
    assertSameSamples(log.read([0, 1, 2]), samples.map(withoutId));
  });

  it('of the own source are places in it, and share the numbers of arrival', (test) => {
    const path = samplePath(test);
    const inbox = openInbox(test, path);
    const log = openLearnerLog(test, path);
    assert.equal(log.appendFromSource(0, 2), 2);
    inbox.append([digit(9)], 'http');
    assert.equal(log.appendFromSource(2, 1), 1);
    assertSameSamples(log.read([0, 1, 2, 3]), [
      { sourceIndex: 0 },
      { sourceIndex: 1 },
      withoutId(digit(9)),
      { sourceIndex: 2 },
    ]);
    assert.deepEqual(
      [log.state().arrivalEnd, log.state().sourceEnd, inbox.sampleCount, inbox.waiting],
      [4, 3, 4, 4],
    );
  });

  it('of the own source arrive once, whatever a run says again; leaving some out is a bug', (test) => {
    const log = openLearnerLog(test, samplePath(test));
    assert.equal(log.appendFromSource(0, 2500), 2500);
    assert.equal(log.appendFromSource(1000, 1600), 100);
    assert.equal(log.appendFromSource(0, 10), 0);
    assert.equal(log.end, 2600);
    assertSameSamples(log.read([2599]), [{ sourceIndex: 2599 }]);
    assert.throws(() => log.appendFromSource(2601, 1), /arrive in order/);
    assert.equal(log.end, 2600);
  });
});

describe('ids', () => {
  it('are taken once, from one origin, in one request and later', (test) => {
    const inbox = openInbox(test, samplePath(test));
    const send = (origin: string, ...samples: IncomingSample[]) => {
      const outcome = inbox.append(samples, origin);
      assert(outcome.kind === 'taken');
      return [outcome.taken, outcome.duplicates];
    };
    assert.deepEqual(send('http', digit(1, 'a'), digit(2, 'b'), digit(3, 'a'), digit(4)), [3, 1]);
    assert.deepEqual(send('http', digit(5, 'b'), digit(4), digit(6, 'c')), [2, 1]);
    assert.deepEqual(send('agent:kitchen', digit(1, 'a')), [1, 0]);
    assert.equal(inbox.sampleCount, 6);
  });

  it('are remembered when their samples are forgotten, so many of them as may be', (test) => {
    const path = samplePath(test);
    const inbox = openInbox(test, path);
    const log = openLearnerLog(test, path, { forgottenIdsMax: 3 });
    inbox.append(
      [0, 1, 2, 3, 4, 5].map((n) => digit(n, `id ${n}`)),
      'http',
    );
    log.takeStep(0, 6);
    log.checkpointed(0, 0, [0, 1, 2, 3]);
    const isKnown = (n: number) => {
      const before = inbox.sampleCount;
      inbox.append([digit(n, `id ${n}`)], 'http');
      return inbox.sampleCount === before;
    };
    // 0 was forgotten first; 4 and 5 are still there.
    assert.deepEqual([5, 4, 3, 2, 1, 0].map(isKnown), [true, true, true, true, true, false]);
  });
});

describe('a full log', () => {
  const limits = { historyMax: 6, waitingMax: 4, bytesMax: 2 ** 20 };

  it('takes nothing while too many samples wait, and goes on when a step has taken some', (test) => {
    const path = samplePath(test);
    const inbox = openInbox(test, path, { limits: { ...limits, waitingMax: 3 } });
    const log = openLearnerLog(test, path);
    assert.equal(inbox.capacity.waitingMax, 3);
    inbox.append([digit(0, 'a'), digit(1, 'b')], 'http');
    assert.equal(inbox.append([digit(2, 'c'), digit(0, 'a')], 'http').kind, 'taken');
    assert.deepEqual(inbox.append([digit(3)], 'http'), { kind: 'full', waiting: 3 });
    assert.equal(inbox.sampleCount, 3);
    // Sent again because the answer was lost: no reason to refuse.
    assert.deepEqual(inbox.append([digit(0, 'a'), digit(1, 'b'), digit(2, 'c')], 'http'), {
      kind: 'taken',
      taken: 0,
      duplicates: 3,
      waiting: 3,
    });
    log.takeStep(0, 2);
    assert.equal(inbox.waiting, 1);
    assert.equal(inbox.append([digit(3), digit(4)], 'http').kind, 'taken');
  });

  it('takes as many as it ever takes at once while fewer wait than a step may want', (test) => {
    const inbox = openInbox(test, samplePath(test), { limits: { ...limits, waitingMax: 3 } });
    inbox.append(digits(0, 2), 'http');
    assert.equal(inbox.append(digits(2, 3), 'http').kind, 'taken');
    assert.deepEqual(inbox.append([digit(5)], 'http'), { kind: 'full', waiting: 5 });
  });

  it('takes nothing while there is no room, until a checkpoint lets samples be forgotten', (test) => {
    const path = samplePath(test);
    const inbox = openInbox(test, path, { limits });
    const log = openLearnerLog(test, path);
    const { samplesMax, waitingMax, historyMax } = inbox.capacity;
    assert.deepEqual([samplesMax, waitingMax, historyMax], [14, 3, 6]);
    for (let step = 0; log.end < samplesMax; step++) {
      assert.equal(inbox.append(digits(log.end, 2), 'http').kind, 'taken');
      log.takeStep(step, log.end);
    }
    assert.deepEqual(inbox.append([digit(14)], 'http'), { kind: 'full', waiting: 0 });
    log.checkpointed(6, 0, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.equal(inbox.sampleCount, historyMax);
    assert.equal(inbox.append(digits(14, 3), 'http').kind, 'taken');
    assertSameSamples(log.read(log.arrivals(0, 17)), digits(8, 9).map(withoutId));
  });

  it('is limited in bytes as well, and its file stays near them', (test) => {
    const path = samplePath(test);
    const format = { ...SENSORS, inputShape: [200] };
    const bytesMax = 2 ** 20;
    const wide = { historyMax: 1e9, waitingMax: 1e9, bytesMax };
    const { sampleBytes, samplesMax, historyMax, waitingMax } = capacityOf(format, wide);
    assert.equal(sampleBytes, 800 + 8 + ROW_BYTES);
    assert.equal(samplesMax, Math.floor(bytesMax / sampleBytes));
    assert.equal(historyMax + 2 * waitingMax, samplesMax);
    const inbox = openInbox(test, path, { format, limits: wide });
    const log = openLearnerLog(test, path, { format });
    const target = Float32Array.of(0, 0);
    // Three times round, so that room is used again.
    for (let n = 0; n < 3 * samplesMax; n += waitingMax) {
      const gone = Array.from({ length: waitingMax }, (_, i) => n - historyMax - waitingMax + i);
      log.checkpointed(
        n,
        0,
        gone.filter((arrival) => arrival >= 0),
      );
      const samples = Array.from({ length: waitingMax }, (_, i) => ({
        id: `sample number ${n + i}`,
        input: new Float32Array(200).fill(n + i),
        target,
      }));
      assert.equal(inbox.append(samples, 'http').kind, 'taken');
      log.takeStep(n + 1, log.end);
    }
    const gone = log.state().arrivalEnd - inbox.sampleCount;
    inbox.close();
    log.close();
    const idBytes = 2 * 40 * gone;
    const { size } = statSync(path);
    assert.ok(size < 1.3 * bytesMax + idBytes, `${size} bytes for ${bytesMax}`);
  });

  it('cannot be so small that nothing fits', (test) => {
    const says = /limited to 400 bytes, in which 2 samples of 138 bytes fit: allow at least 414/;
    assert.throws(
      () => openInbox(test, samplePath(test), { limits: { ...limits, bytesMax: 400 } }),
      freshetError('CONFIG_INVALID', says),
    );
    for (let historyMax = 1; historyMax < 50; historyMax++) {
      for (const waitingMax of [1, 2, 100]) {
        const capacity = capacityOf(SENSORS, { historyMax, waitingMax, bytesMax: 1e6 });
        assert.ok(capacity.waitingMax >= 1 && capacity.historyMax >= 1);
        assert.ok(capacity.historyMax <= historyMax);
        assert.ok(capacity.historyMax + 2 * capacity.waitingMax <= capacity.samplesMax);
      }
    }
  });
});

describe('steps', () => {
  it('take what is there, in order, and say the same when asked again', (test) => {
    const path = samplePath(test);
    const inbox = openInbox(test, path);
    const log = openLearnerLog(test, path);
    inbox.append(digits(0, 10), 'http');
    log.takeStep(0, 4);
    log.takeStep(1, 4);
    log.takeStep(7, 9);
    assert.deepEqual(
      [0, 1, 2, 7].map((step) => log.stepEnd(step)),
      [4, 4, null, 9],
    );
    log.takeStep(1, 4);
    assert.throws(() => log.takeStep(1, 5), /step 1 took the arrivals up to 4, not 5/);
    assert.throws(() => log.takeStep(6, 10), /step 6 comes after step 7/);
    assert.throws(() => log.takeStep(8, 8), /9 ≤ 8/);
    assert.throws(() => log.takeStep(8, 11), /11 ≤ 10/);
    assert.deepEqual([log.state().takenEnd, log.state().step], [9, 7]);
    const again = openLearnerLog(test, path);
    assert.equal(again.stepEnd(7), 9);
    again.takeStep(8, 10);
  });

  it('before a checkpoint are not taken again; after one they are', (test) => {
    const log = openLearnerLog(test, samplePath(test));
    log.appendFromSource(0, 10);
    for (const step of [1, 2, 3, 4]) log.takeStep(step, 2 * step);
    log.flush();
    log.checkpointed(3, 0, []);
    assert.deepEqual(
      [1, 2, 3, 4].map((step) => log.stepEnd(step)),
      [null, null, 6, 8],
    );
  });

  it('of a run whose checkpoint was lost are recorded anew; what they took stays taken', (test) => {
    const log = openLearnerLog(test, samplePath(test));
    log.appendFromSource(0, 10);
    for (const step of [1, 2, 3, 4]) log.takeStep(step, 2 * step);
    log.rewind(2);
    assert.deepEqual(
      [2, 3, 4].map((step) => log.stepEnd(step)),
      [4, null, null],
    );
    assert.throws(() => log.takeStep(3, 6), /8 ≤ 6/);
    log.takeStep(3, 9);
    assert.throws(() => log.rewind(4), /from step 3 to 4/);
  });
});

describe('forgetting', () => {
  const filled = (test: Parameters<typeof samplePath>[0], count: number) => {
    const log = openLearnerLog(test, samplePath(test));
    log.appendFromSource(0, count);
    log.takeStep(0, count - 2);
    return log;
  };

  it('takes away what it is told, in pieces, and what is gone already is no matter', (test) => {
    const log = filled(test, 5000);
    const gone = Array.from({ length: 2200 }, (_, i) => 2 * i);
    log.checkpointed(0, 0, gone);
    log.checkpointed(0, 0, [0, 1, 2]);
    assert.equal(log.state().sampleCount, 5000 - 2201);
    assert.deepEqual([...log.arrivals(0, 8)], [3, 5, 7]);
    assert.throws(() => log.read([3, 4]), freshetError('STORE_CORRUPT', /sample 4 is missing/));
  });

  it('spares what waits to be trained on', (test) => {
    const log = filled(test, 10);
    assert.throws(() => log.checkpointed(0, 0, [7, 8]), /what waits to be trained on is not forgotten/);
    assert.equal(log.state().sampleCount, 10);
  });

  it('is made up for after a death between checkpoint and forgetting', (test) => {
    const log = filled(test, 3000);
    const kept = Uint32Array.from({ length: 500 }, (_, i) => 5 * i + 1);
    log.keepOnly(kept, 2998);
    assert.deepEqual(log.arrivals(0, 3000), Uint32Array.of(...kept, 2998, 2999));
    log.keepOnly(kept, 2998);
    assert.equal(log.state().sampleCount, 502);
  });

  it('finds out that a sample is missing which can be drawn', (test) => {
    const log = filled(test, 20);
    log.checkpointed(0, 0, [3]);
    const isMissing = freshetError(
      'STORE_CORRUPT',
      /sample 3 is missing.*move it and learner\.checkpoint away/,
    );
    assert.throws(() => log.keepOnly(Uint32Array.of(1, 3, 5), 18), isMissing);
    // As many as there should be, but not these.
    const kept = Uint32Array.from({ length: 17 }, (_, i) => i + 3);
    assert.throws(() => log.keepOnly(kept, 18), isMissing);
    assert.equal(log.state().sampleCount, 19, 'nothing was forgotten');
  });
});

describe('a learner that lives on after its trainer', () => {
  it('can record and forget nothing once another has the log', (test) => {
    const path = samplePath(test);
    const old = openLearnerLog(test, path);
    old.appendFromSource(0, 10);
    old.takeStep(1, 4);
    const heir = openLearnerLog(test, path);
    const isTakenOver = freshetError('STORE_LOCKED', /taken over by a newer learner: this one has to end/);
    assert.throws(() => old.takeStep(2, 8), isTakenOver);
    assert.throws(() => old.appendFromSource(10, 1), isTakenOver);
    assert.throws(() => old.flush(), isTakenOver);
    assert.throws(() => old.checkpointed(1, 0, [0]), isTakenOver);
    assert.throws(() => old.rewind(0), isTakenOver);
    heir.takeStep(2, 6);
    assert.deepEqual([heir.stepEnd(2), heir.end, heir.state().sampleCount], [6, 10, 10]);
  });
});

describe('damage', () => {
  it('of one bit of a sample is found before a model sees it, and named', (test) => {
    const path = samplePath(test);
    openInbox(test, path, { format: SENSORS }).append([reading(1), reading(2), reading(3)], 'http');
    const log = openLearnerLog(test, path, { format: SENSORS });
    const other = new Database(path);
    test.after(() => other.close());
    const input = other.prepare<[], Buffer>('SELECT input FROM samples WHERE arrival = 1').pluck().get()!;
    input[3]! ^= 0x40;
    other.prepare('UPDATE samples SET input = ? WHERE arrival = 1').run(input);
    log.read([0, 2]);
    assert.throws(() => log.read([0, 1]), freshetError('STORE_CORRUPT', /sample 1 is not as it was stored/));
    other.exec("UPDATE samples SET target = x'00' WHERE arrival = 2");
    assert.throws(() => log.read([2]), freshetError('STORE_CORRUPT', /sample 2 is not as it was stored/));
    other.exec('DELETE FROM state');
    assert.throws(() => log.end, freshetError('STORE_CORRUPT', /it has no state/));
  });

  it('numbers of arrival do not wrap round', (test) => {
    const path = samplePath(test);
    const inbox = openInbox(test, path);
    const other = new Database(path);
    other.exec('UPDATE state SET arrival_end = 4294967295, taken_end = 4294967295');
    other.close();
    inbox.append([digit(1)], 'http');
    assert.throws(
      () => inbox.append([digit(2)], 'http'),
      freshetError('STORE_WRITE_FAILED', /no more can be/),
    );
    assert.equal(inbox.sampleCount, 1);
  });
});
