/** POST /api/v1/samples of the real HTTP API, over a real port, into a real sample log. */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SAMPLES_PATH, SAMPLES_PER_REQUEST_MAX } from '@freshet/protocol/local/samples-api';
import type { SampleFormat } from '@freshet/protocol/sample-format';
import Database from 'better-sqlite3';
import { Packr } from 'msgpackr';
import pino from 'pino';
import { adminApp } from '../../trainer/admin/admin-app.ts';
import { createTrainerMetrics } from '../../trainer/admin/trainer-metrics.ts';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { DIGITS, openInbox, openLearnerLog, SENSORS, samplePath } from '../support/sample-logs.ts';
import { seed } from '../support/seed.ts';
import { type Cleanup, startServer } from '../support/serving.ts';

const TOKEN = 'correct horse battery staple';
const LIMITS = { historyMax: 10_000, waitingMax: 2000, bytesMax: 2 ** 30 };
const INPUT = [1, 2, 3, 4, 5, 6];
const packr = new Packr({ useRecords: false });

let harness: HubHarness;
beforeEach(async () => {
  harness = new HubHarness(handMadeModel(100), seed);
  await harness.start();
});
afterEach(() => harness.remove());

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly json: Record<string, unknown> & { error?: string; code?: string; refused?: unknown[] };
}

/** The API with a log of `format`; with null, before the learner has said what a sample looks like. */
async function serve(test: Cleanup, format: SampleFormat | null) {
  const path = samplePath(test);
  const inbox = format === null ? null : openInbox(test, path, { format, limits: LIMITS, lockWaitMs: 20 });
  const app = adminApp({
    log: harness.log,
    hub: harness.hub,
    metrics: createTrainerMetrics(harness.hub, harness.log),
    learner: () => ({}),
    inbox: () => inbox,
    adminToken: TOKEN,
    logger: pino({ level: 'silent' }),
  });
  const { url } = await startServer(test, app);
  const send = async (
    body: string | Uint8Array<ArrayBuffer>,
    contentType: string,
    token: string | null = TOKEN,
  ): Promise<Answer> => {
    const headers: Record<string, string> = { 'content-type': contentType };
    if (token !== null) headers['authorization'] = `Bearer ${token}`;
    const response = await fetch(url + SAMPLES_PATH, { method: 'POST', body, headers });
    const json = (await response.json()) as Answer['json'];
    return { status: response.status, retryAfter: response.headers.get('retry-after'), json };
  };
  return {
    path,
    send,
    post: (body: unknown, token?: string | null) => send(JSON.stringify(body), 'application/json', token),
    postPacked: (body: unknown) => send(new Uint8Array(packr.pack(body)), 'application/msgpack'),
  };
}

/** What the learner reads from the log. */
function stored(test: Cleanup, path: string, format: SampleFormat) {
  const log = openLearnerLog(test, path, { format });
  return log.read(log.arrivals(0, log.end)).map((sample) => {
    assert(!('sourceIndex' in sample));
    const { input, target } = sample;
    return [[...input], typeof target === 'number' ? target : [...target]];
  });
}

describe('samples are taken', () => {
  it('in JSON: as numbers and as base64, and those with an id once', async (test) => {
    const { post, path } = await serve(test, DIGITS);
    const samples = [
      { input: INPUT, label: 3 },
      { id: 'one', input: Buffer.from([9, 8, 7, 6, 5, 255]).toString('base64'), label: 0 },
    ];
    assert.deepEqual(await post({ samples }), {
      status: 200,
      retryAfter: null,
      json: { taken: 2, duplicates: 0, waiting: 2 },
    });
    const again = await post({ samples: [...samples, { id: 'two', input: INPUT, label: 9 }] });
    assert.deepEqual(again.json, { taken: 2, duplicates: 1, waiting: 4 });
    assert.deepEqual(stored(test, path, DIGITS), [
      [INPUT, 3],
      [[9, 8, 7, 6, 5, 255], 0],
      [INPUT, 3],
      [INPUT, 9],
    ]);
  });

  it('in MessagePack: the same, with bytes as they are', async (test) => {
    const { postPacked, send, path } = await serve(test, DIGITS);
    const samples = [
      { input: INPUT, label: 3 },
      { id: 'one', input: Uint8Array.of(9, 8, 7, 6, 5, 255), label: 0 },
    ];
    assert.deepEqual((await postPacked({ samples })).json, { taken: 2, duplicates: 0, waiting: 2 });
    for (const type of ['application/x-msgpack', 'Application/MsgPack; charset=binary']) {
      const { json } = await send(new Uint8Array(packr.pack({ samples: [samples[1]] })), type);
      assert.deepEqual(json, { taken: 0, duplicates: 1, waiting: 2 });
    }
    assert.deepEqual(stored(test, path, DIGITS), [
      [INPUT, 3],
      [[9, 8, 7, 6, 5, 255], 0],
    ]);
  });

  it('with floats and vectors, to the bit', async (test) => {
    const { post, postPacked, path } = await serve(test, SENSORS);
    const input = Float32Array.of(0.1, -2e-40, 3e38, 7);
    const bytes = Buffer.from(input.buffer);
    const target = [0.5, 1e-3];
    await post({ samples: [{ input: [...input], target }] });
    await post({ samples: [{ input: bytes.toString('base64'), target }] });
    await postPacked({
      samples: [
        { input: [...input], target },
        { input: bytes, target: [1, -7] },
      ],
    });
    const vector = [...Float32Array.from(target)];
    assert.deepEqual(stored(test, path, SENSORS), [
      [[...input], vector],
      [[...input], vector],
      [[...input], vector],
      [[...input], [1, -7]],
    ]);
  });

  it('as many as one request may have', async (test) => {
    const { post } = await serve(test, DIGITS);
    const samples = Array.from({ length: SAMPLES_PER_REQUEST_MAX }, () => ({ input: INPUT, label: 1 }));
    assert.equal((await post({ samples })).json['taken'], SAMPLES_PER_REQUEST_MAX);
  });
});

describe('samples are refused as a whole, each with its reason', () => {
  const good = { input: INPUT, label: 3 };
  const cases: readonly (readonly [string, unknown, string, RegExp])[] = [
    [
      'an input of another shape',
      { ...good, input: [1, 2, 3] },
      'input',
      /^has 3 elements; .* 6 uint8 .*\[3, 2, 1\]/,
    ],
    ['no input', { label: 3 }, 'input', /^is missing/],
    ['an input that is no list', { ...good, input: 7 }, 'input', /^is not a list of numbers/],
    [
      'an element that is no byte',
      { ...good, input: [1, 2, 3, 4, 5, 256] },
      'input',
      /^has 256 at element 5/,
    ],
    ['an element that is null', { ...good, input: [1, null, 3, 4, 5, 6] }, 'input', /^has null at element 1/],
    ['an input that is no base64', { ...good, input: 'AQIDBAUG!' }, 'input', /^is a text that is not base64/],
    ['base64 of too few bytes', { ...good, input: 'AQID' }, 'input', /^has 3 elements/],
    ['a label out of range', { ...good, label: 10 }, 'label', /^is 10; it has to be an integer from 0 to 9/],
    ['half a label', { ...good, label: 1.5 }, 'label', /^is 1\.5/],
    ['no label', { input: INPUT }, 'label', /^is missing/],
    [
      'a vector where a class belongs',
      { ...good, target: [1] },
      'target',
      /^is not for this model: give "label"/,
    ],
    ['an id that is none', { ...good, id: '' }, 'id', /^is not a text of 1 to 200 characters/],
    ['an id that is a number', { ...good, id: 5 }, 'id', /^is not a text/],
    ['an id that is too long', { ...good, id: 'x'.repeat(201) }, 'id', /^is not a text/],
    [
      'an id of an earlier sample',
      { ...good, id: 'first' },
      'id',
      /^is that of sample 0 of this request, too/,
    ],
    [
      'a field that does not exist',
      { ...good, lable: 3 },
      'lable',
      /^is not a field of a sample: there are id, /,
    ],
    ['a sample that is none', [INPUT, 3], 'sample', /^is not an object/],
    ['null', null, 'sample', /^is not an object/],
  ];

  it('in JSON and in MessagePack', async (test) => {
    const { post, postPacked, path } = await serve(test, DIGITS);
    for (const [name, bad, field, reason] of cases) {
      for (const way of [post, postPacked]) {
        const { status, json } = await way({ samples: [{ ...good, id: 'first' }, bad] });
        assert.deepEqual([status, json.code, json.refused?.length], [400, 'INPUT_INVALID', 1], name);
        const [refused] = json.refused as [{ index: number; field: string; reason: string }];
        assert.deepEqual([refused.index, refused.field], [1, field], name);
        assert.match(refused.reason, reason, name);
        assert.equal(json.error, `sample 1: ${field} ${refused.reason}; none was taken`);
      }
    }
    assert.deepEqual(stored(test, path, DIGITS), []);
  });

  it('all of them are named', async (test) => {
    const { post, path } = await serve(test, DIGITS);
    const samples = cases.map(([, bad]) => bad);
    const { json } = await post({ samples: [{ ...good, id: 'first' }, ...samples, good] });
    assert.deepEqual(
      json.refused?.map((each) => (each as { index: number; field: string }).field),
      cases.map(([, , field]) => field),
    );
    assert.match(json.error!, /^sample 1: input .*, and 17 more samples are refused; none was taken$/);
    assert.deepEqual(stored(test, path, DIGITS), []);
  });

  it('with numbers that are none: NaN and infinity, in MessagePack, as bytes, or too large for a float32', async (test) => {
    const { post, postPacked, path } = await serve(test, SENSORS);
    const target = [1, 2];
    const bytes = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
    const bad: [Record<string, unknown>, RegExp][] = [
      [
        { input: [1, Number.NaN, 3, 4], target },
        /input has NaN at element 1; elements are finite as float32/,
      ],
      [{ input: [1, 2, 3, Number.POSITIVE_INFINITY], target }, /input has Infinity at element 3/],
      [{ input: bytes(1, 2, Number.NaN, 4), target }, /input has NaN at element 2/],
      [{ input: [1, 2, 3, 1e39], target }, /input has 1e\+39 at element 3/],
      [{ input: [1, 2, 3, 4], target: [Number.NaN, 0] }, /target has NaN at element 0/],
      [{ input: [1, 2, 3, 4], target: [1] }, /target has 1 elements/],
      [{ input: [1, 2, 3, 4], label: 1 }, /label is not for this model: give "target"/],
      [{ input: bytes(1, 2, 3, 4).subarray(1), target }, /input has 15 bytes, which are no whole number/],
    ];
    for (const [sample, says] of bad) {
      const { status, json } = await postPacked({ samples: [sample] });
      assert.equal(status, 400);
      assert.match(json.error!, says);
    }
    for (const input of [bytes(1, 2, Number.NaN, 4).toString('base64'), [1, 2, 3, 1e39]]) {
      assert.equal((await post({ samples: [{ input, target }] })).status, 400);
    }
    assert.deepEqual(stored(test, path, SENSORS), []);
  });
});

describe('a request is refused', () => {
  it('without the token, before its body is looked at', async (test) => {
    const { post, send } = await serve(test, DIGITS);
    for (const token of [null, 'wrong']) {
      assert.equal((await post({ samples: [{ input: INPUT, label: 3 }] }, token)).status, 401);
      assert.equal((await send('{', 'application/json', token)).status, 401);
    }
  });

  it('that holds no list of samples', async (test) => {
    const { post, postPacked, send } = await serve(test, DIGITS);
    const many = Array.from({ length: SAMPLES_PER_REQUEST_MAX + 1 }, () => null);
    const cases: [() => Promise<Answer>, RegExp][] = [
      [() => send('{"samples": [', 'application/json'), /the body is not JSON/],
      [() => send(Uint8Array.of(0x22, 0xff, 0x22), 'application/json'), /the body is not JSON/],
      [() => send('', 'application/json'), /the body is not JSON/],
      [() => post([]), /the body is not \{"samples": \[…\]\}/],
      [() => post({}), /the body is not \{"samples": \[…\]\}: samples is missing$/],
      [() => post({ samples: {} }), /the body is not .*: samples is not a list$/],
      [() => post({ samples: [], more: 1 }), /: more is not known$/],
      [() => post({ samples: [] }), /^samples: there is none/],
      [() => post({ samples: many }), /^samples: 1001 are too many, send at most 1000 at a time/],
      [
        () => send(Uint8Array.of(0x81, 0xa7), 'application/msgpack'),
        /not plain MessagePack: it ends too early/,
      ],
      [() => send(Uint8Array.of(0xc7, 1, 0x78, 0), 'application/msgpack'), /type 0xc7 is not used here/],
      [() => send(Uint8Array.of(0x81, 1, 1), 'application/msgpack'), /a key of a map is not a string/],
      [() => send(Uint8Array.of(0xdd, 0, 0x20, 0, 0), 'application/msgpack'), /more than 1048576 items/],
      [() => postPacked({ samples: [{ input: [[1]], label: 3 }] }), /nested too deeply/],
      [() => postPacked(7), /the body is not \{"samples": \[…\]\}/],
    ];
    for (const [answer, says] of cases) {
      const { status, json } = await answer();
      assert.deepEqual([status, json.code], [400, 'INPUT_INVALID'], String(says));
      assert.match(json.error!, says);
    }
  });

  it('of another type, or too large', async (test) => {
    const { send } = await serve(test, DIGITS);
    const form = await send('samples=1', 'application/x-www-form-urlencoded');
    assert.deepEqual([form.status, form.json.code], [415, 'INPUT_INVALID']);
    assert.match(
      form.json.error!,
      /send application\/json or application\/msgpack; curl -d says neither without -H/,
    );
    const large = await send('x'.repeat(8 * 1024 * 1024 + 1), 'application/json');
    assert.deepEqual([large.status, large.json.code], [413, 'INPUT_INVALID']);
    assert.match(large.json.error!, /larger than 8388608 bytes: send fewer samples at a time/);
  });
});

describe('a request may be sent again later', () => {
  const samples = Array.from({ length: 700 }, (_, n) => ({ id: `${n}`, input: INPUT, label: 1 }));

  it('before the learner has said what a sample looks like', async (test) => {
    const { post } = await serve(test, null);
    const { status, retryAfter, json } = await post({ samples });
    assert.deepEqual([status, retryAfter, json.code], [503, '1', 'NOT_READY']);
  });

  it('while too many samples wait, and then it is taken', async (test) => {
    const { post, path } = await serve(test, DIGITS);
    const called = (word: string) => samples.map((sample) => ({ ...sample, id: `${word} ${sample.id}` }));
    const last = called('last');
    for (const taken of [samples, called('second'), called('third')]) {
      assert.equal((await post({ samples: taken })).status, 200);
    }
    const { status, retryAfter, json } = await post({ samples: last });
    assert.deepEqual([status, retryAfter, json.code], [429, '1', 'NOT_READY']);
    assert.match(json.error!, /2100 samples wait to be trained on: none of these was taken/);
    assert.deepEqual((await post({ samples })).json, { taken: 0, duplicates: 700, waiting: 2100 });
    const log = openLearnerLog(test, path);
    log.takeStep(0, 101);
    assert.deepEqual((await post({ samples: last })).json, { taken: 700, duplicates: 0, waiting: 2699 });
  });

  it('while another process holds the log for long', async (test) => {
    const { post, path } = await serve(test, DIGITS);
    const other = new Database(path);
    test.after(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    const { status, retryAfter, json } = await post({ samples });
    assert.deepEqual([status, retryAfter, json.code], [503, '1', 'NOT_READY']);
    assert.match(json.error!, /held by another process for too long.*; none of these samples was taken/);
    other.exec('ROLLBACK');
    assert.equal((await post({ samples })).json['taken'], 700);
  });
});
