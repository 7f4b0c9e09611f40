/**
 * A link that flips bytes, loses a delta, repeats one, or brings one of another model: what is served is not touched,
 * and the agent finds back to the trainer's versions by itself. Real trainer, real agent, a relay in between.
 */
import { strict as assert } from 'node:assert';
import { it, type TestContext } from 'node:test';
import { downstreamCodec } from '@freshet/protocol/codec';
import { asRoot, type Position } from '@freshet/protocol/ids';
import { createRandom } from '@freshet/trainer/core/random';
import { seed } from '../support/seed.ts';
import { agentStatus, type Service, System, untilServes } from '../support/system.ts';
import { type Delta, drop, nextOf, pass, type Tampering, TamperProxy } from '../support/tamper-proxy.ts';
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
  const otherRoot = asRoot('ab'.repeat(32));
  const flips = Array.from({ length: RANDOM_FLIPS }, (): Case => {
    const flip = flippedAt((frame) => random.integerBelow(frame.length));
    return { what: 'a flipped byte anywhere', tamperings: [flip], codes: null };
  });
  return [
    {
      // Where the first position has its lowest bits; what is read after it depends on the weight there.
      what: 'a flipped bit in a position',
      tamperings: [flippedAt(({ length }) => length - 1)],
      codes: ['ROOT_MISMATCH', 'DELTA_MALFORMED'],
    },
    {
      what: 'another root',
      tamperings: [edited((delta) => ({ ...delta, proof: { ...delta.proof, root: otherRoot } }))],
      codes: ['ROOT_MISMATCH'],
    },
    {
      what: 'another version number',
      tamperings: [edited((delta) => ({ ...delta, span: delta.span + 1 }))],
      codes: ['ROOT_MISMATCH'],
    },
    {
      what: 'a payload that is cut short',
      tamperings: [edited((delta) => ({ ...delta, payload: delta.payload.subarray(0, 4) }))],
      codes: ['DELTA_MALFORMED'],
    },
    { what: 'a skipped version', tamperings: [drop, pass], codes: ['BASE_MISMATCH'] },
    {
      what: 'a delta for another model',
      tamperings: [edited((delta) => ({ ...delta, modelTag: delta.modelTag ^ 1 }))],
      codes: ['MODEL_MISMATCH'],
    },
    ...flips,
  ];
}

/**
 * Where symbols and raw bits of a payload meet, a byte may hold bits that say nothing: there a flip leaves the delta as
 * it was, and it is taken. That is one byte in some thousand, so two of them mean that roots are not compared.
 */
const MEANINGLESS_FLIPS_MAX = 1;

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
  const { served } = await untilServes(agent, nextOf(delta) + 1);
  assert.equal(served?.root, await publishedRoot(trainer, served?.version ?? 0));
}

it('damaged, lost and foreign deltas leave what is served untouched and end in recovery', async (test) => {
  const { trainer, agent, proxy } = await setUp(test);
  let meaninglessFlips = 0;
  for (const { what, tamperings, codes } of cases()) {
    const { delta, reaction } = await proxy.strike(...tamperings);
    if (codes !== null) assert.equal(reaction.kind, 'nack', what);
    if (reaction.kind === 'nack' && codes !== null)
      assert(codes.includes(reaction.code), `${what}: ${reaction.code}`);
    if (reaction.kind === 'ack') {
      assert.ok(++meaninglessFlips <= MEANINGLESS_FLIPS_MAX, what);
    } else {
      await assertServesBaseOf(delta, what);
    }
    proxy.release();
    await assertRecovers(trainer, agent, delta);
  }

  async function assertServesBaseOf({ base }: Delta, what: string): Promise<void> {
    // Versions before the damaged one may still be on their way into service.
    const status = await until(`the base is served after ${what}`, async () => {
      const current = await agentStatus(agent);
      return current.served?.version === base && current;
    });
    assert.deepEqual(status.head, status.served, what);
    assert.equal(status.served?.root, await publishedRoot(trainer, base), what);
  }
});

it('a delta that comes twice is taken once', async (test) => {
  const { trainer, agent, proxy } = await setUp(test);
  const { delta, reaction } = await proxy.strike((frame) => [frame, frame]);
  assert.deepEqual(reaction, { kind: 'ack', head: { version: nextOf(delta), root: delta.proof.root } });
  const status = await agentStatus(agent);
  assert.deepEqual(status.head, { version: nextOf(delta), root: delta.proof.root });
  proxy.release();
  await assertRecovers(trainer, agent, delta);
});
