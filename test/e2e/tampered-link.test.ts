/**
 * A link that flips bytes, loses a delta, repeats one, or brings one of another model: what is served is not touched,
 * and the agent finds back to the trainer's versions by itself. Real trainer, real agent, a relay in between.
 */
import { strict as assert } from 'node:assert';
import { it, type TestContext } from 'node:test';
import { downstreamCodec } from '@freshet/protocol/codec';
import { asWeightsVersion, type Position } from '@freshet/protocol/ids';
import { createRandom } from '@freshet/trainer/core/random';
import { seed } from '../support/seed.ts';
import { agentStatus, type Service, System, untilServes } from '../support/system.ts';
import { type Delta, drop, pass, type Tampering, TamperProxy } from '../support/tamper-proxy.ts';
import { until } from '../support/until.ts';

const RANDOM_FLIPS = 12;

interface Case {
  readonly what: string;
  readonly tamperings: readonly Tampering[];
  /** The codes of the `nack` that it may end in; null: any, or a broken connection. */
  readonly codes: readonly string[] | null;
}

const edited =
  (edit: (delta: Delta) => Delta): Tampering =>
  (_frame, delta) => [downstreamCodec.encode(edit(delta))];

const flippedAt =
  (position: (frame: Uint8Array) => number): Tampering =>
  (frame) => {
    const copy = frame.slice();
    copy[position(frame)]! ^= 0x10;
    return [copy];
  };

function cases(): Case[] {
  const random = createRandom(seed);
  const flips = Array.from({ length: RANDOM_FLIPS }, (): Case => {
    const flip = flippedAt((frame) => random.integerBelow(frame.length));
    return { what: 'a flipped byte anywhere', tamperings: [flip], codes: null };
  });
  const nextVersion = ({ next }: Delta) => asWeightsVersion(next + 1);
  return [
    {
      what: 'a flipped byte in a value',
      tamperings: [flippedAt(({ length }) => length - 1)],
      codes: ['ROOT_MISMATCH'],
    },
    {
      what: 'another version number',
      tamperings: [edited((delta) => ({ ...delta, next: nextVersion(delta) }))],
      codes: ['ROOT_MISMATCH'],
    },
    {
      what: 'a payload that is cut short',
      tamperings: [edited((delta) => ({ ...delta, payload: delta.payload.subarray(0, -1) }))],
      codes: ['DELTA_MALFORMED'],
    },
    { what: 'a skipped version', tamperings: [drop, pass], codes: ['BASE_MISMATCH'] },
    {
      what: 'a delta for another model',
      tamperings: [edited((delta) => ({ ...delta, modelTag: (delta.modelTag ^ 1) >>> 0 }))],
      codes: ['MODEL_MISMATCH'],
    },
    ...flips,
  ];
}

/** The hub's own record of what it has published. */
async function publishedRoot(trainer: Service, version: number): Promise<string | undefined> {
  const page = await trainer.client.call('GET', `/api/v1/versions?limit=1&before=${version + 1}`);
  const { versions } = page as { versions: readonly Position[] };
  return versions[0]?.root;
}

async function setUp(test: TestContext): Promise<{ trainer: Service; agent: Service; proxy: TamperProxy }> {
  const system = new System(test);
  const trainer = await system.startTrainer(['--publish-every', '4']);
  const proxy = await TamperProxy.start(test, trainer.url);
  const agent = await system.startAgent('device', proxy.url);
  await untilServes(agent, 1);
  return { trainer, agent, proxy };
}

/** The agent has found back: it serves a version beyond `delta`, with the root that the hub published. */
async function assertRecovers(trainer: Service, agent: Service, delta: Delta): Promise<void> {
  const { served } = await untilServes(agent, delta.next + 1);
  assert.equal(served?.root, await publishedRoot(trainer, served?.version ?? 0));
}

it('damaged, lost and foreign deltas leave what is served untouched and end in recovery', async (test) => {
  const { trainer, agent, proxy } = await setUp(test);
  for (const { what, tamperings, codes } of cases()) {
    const { delta, reaction } = await proxy.strike(...tamperings);
    if (codes !== null) assert.equal(reaction.kind, 'nack', what);
    if (reaction.kind === 'nack' && codes !== null)
      assert(codes.includes(reaction.code), `${what}: ${reaction.code}`);
    assert.notEqual(reaction.kind, 'ack', what);
    // Versions before the damaged one may still be on their way into service.
    const status = await until(`the base is served after ${what}`, async () => {
      const current = await agentStatus(agent);
      return current.served?.version === delta.base && current;
    });
    assert.deepEqual(status.head, status.served, what);
    assert.equal(status.served?.root, await publishedRoot(trainer, delta.base), what);
    proxy.release();
    await assertRecovers(trainer, agent, delta);
  }
});

it('a delta that comes twice is taken once', async (test) => {
  const { trainer, agent, proxy } = await setUp(test);
  const { delta, reaction } = await proxy.strike((frame) => [frame, frame]);
  assert.deepEqual(reaction, { kind: 'ack', head: { version: delta.next, root: delta.root } });
  const status = await agentStatus(agent);
  assert.deepEqual(status.head, { version: delta.next, root: delta.root });
  proxy.release();
  await assertRecovers(trainer, agent, delta);
});
