/**
 * A fleet that believes one publisher, with real processes from the first key to the second: the device follows the
 * hub that holds the key, and no other hub and nobody in between moves it.
 */
import { strict as assert } from 'node:assert';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { ERROR_TRAITS, EXIT } from '@freshet/protocol/errors';
import { OrderRelay } from '../support/order-relay.ts';
import { assertRefusal, trainer } from '../support/refusal.ts';
import { agentStatus, runCommand, type Service, System, trainerStatus } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { until } from '../support/until.ts';

/** Runs a command that succeeds; its result. */
async function run(
  program: 'freshet' | 'freshet-agent',
  ...args: string[]
): Promise<Record<string, unknown>> {
  const { exitCode, stdout, stderr } = await runCommand(program, [...args, '--json']);
  assert.equal(exitCode, EXIT.ok, stderr + stdout);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const newKey = async (file: string) => (await run('freshet', 'key', 'new', file))['publicKey'] as string;

function rollback({ stateDirectory }: Service, version: number | 'head', waitSeconds = 10) {
  const wait = ['--wait-seconds', String(waitSeconds)];
  return run('freshet', 'rollback', String(version), '--agent', 'device', ...wait, '--state', stateDirectory);
}

const untilRefused = (agent: Service) =>
  until('the agent refuses the hub', async () => {
    const { process } = await agentStatus(agent);
    return process?.link === 'refused' && process.refusal;
  });

/** Training goes on while all this happens; a version now and then is enough. */
const SLOWLY = ['--publish-every', '20'];

async function versionsOf(agent: Service): Promise<number[]> {
  const versions = (await agent.client.call('GET', '/admin/v1/versions')) as { version: number }[];
  return versions.map(({ version }) => version);
}

/** Waits until `agent` has stored more than one version above `floor`; the newest but one of them: to go back to. */
const untilBehind = (agent: Service, floor = 0): Promise<number> =>
  until(`the agent has versions above ${floor}`, async () => {
    const above = (await versionsOf(agent)).filter((version) => version > floor);
    return above.at(-2) ?? null;
  });

it('keys are made, shown, and never overwritten', async (test) => {
  const file = join(temporaryDirectory(test), 'publisher.pem');
  const made = await runCommand('freshet', ['key', 'new', file]);
  assert.equal(made.exitCode, EXIT.ok, made.stderr);
  const [, publicKey = ''] = /^public key ([0-9a-f]{64})$/m.exec(made.stdout) ?? [];
  assert.ok(made.stdout.includes(`freshet-agent run --publisher-key ${publicKey}`), made.stdout);
  const secret = readFileSync(file, 'utf8').split('\n')[1]!;
  assert.ok(!made.stdout.includes(secret));
  const shown = await runCommand('freshet', ['key', 'show', file]);
  assert.deepEqual(shown, { exitCode: EXIT.ok, stdout: `${publicKey}\n`, stderr: '' });
  const says = /publisher\.pem exists and is not overwritten: give another file/;
  await assertRefusal({ ...trainer('key', 'new', file), exitCode: EXIT.usage, says, untouched: file });
  const usage = /missing required argument 'file' \(see freshet key new --help\)/;
  await assertRefusal({ ...trainer('key', 'new'), exitCode: EXIT.usage, says: usage });
});

it('a device that has pinned a key follows its holder only', { timeout: 150_000 }, async (test) => {
  const system = new System(test);
  const file = (name: string): string => join(system.directory, `${name}.pem`);
  const first = await newKey(file('first'));
  const second = await newKey(file('second'));

  const hub = await system.startTrainer([...SLOWLY, '--signing-key', file('first')]);
  const relay = await OrderRelay.start(test, hub.url);
  let device = await system.startAgent('device', relay.url, ['--publisher-key', first]);
  const earlier = await untilBehind(device);
  assert.equal((await trainerStatus(hub)).publisherKey, first);
  assert.deepEqual((await agentStatus(device)).publisher, { configured: first, current: first });

  await test.test('an order of the centre takes it back; seen again, it does nothing', async () => {
    await rollback(hub, earlier);
    assert.equal((await agentStatus(device)).pinned, earlier);
    await rollback(hub, 'head');
    const [pin] = relay.orders;
    assert.ok(pin?.action === 'pin' && pin.signature !== null);
    const answered = relay.answers.length;
    relay.inject(pin);
    await until('it is answered', () => relay.answers.length > answered);
    assert.match(relay.answers.at(-1)!.outcome, /was carried out before/);
    assert.equal((await agentStatus(device)).pinned, null);
  });

  await test.test('an order without its signature does nothing, and still arrives with it', async () => {
    relay.strips = true;
    relay.closeCodes.length = 0;
    const answered = relay.answers.length;
    await rollback(hub, earlier, 0);
    await until('it breaks the connection off', () => relay.closeCodes.length > 0);
    assert.equal(relay.closeCodes[0], ERROR_TRAITS.SIGNATURE_INVALID.closeCode);
    const { pinned, served } = await agentStatus(device);
    assert.equal(pinned, null);
    assert.ok(served !== null && served.version > earlier);
    assert.equal(relay.answers.length, answered);
    relay.strips = false;
    await until('the order has come through', async () => (await agentStatus(device)).pinned === earlier);
    await rollback(hub, 'head');
  });

  const port = Number(new URL(hub.url).port);
  await test.test('a hub that has stolen the log but not the key does not move it', async () => {
    await hub.end('SIGTERM');
    const elsewhere = new System(test);
    cpSync(hub.stateDirectory, join(elsewhere.directory, 'trainer'), { recursive: true });
    const before = await until('all that has come is served', async () => {
      const status = await agentStatus(device);
      return status.served?.version === status.head?.version && status;
    });
    const attacker = await elsewhere.startTrainer([...SLOWLY, '--unsigned'], port);
    const says = /the hub does not sign, and this device believes only publisher key [0-9a-f]{12}…/;
    assert.match(await untilRefused(device), says);
    const after = await agentStatus(device);
    for (const what of ['head', 'served', 'publisher'] as const) assert.deepEqual(after[what], before[what]);
    await Promise.all([attacker, device].map((service) => service.end('SIGTERM')));
  });

  await test.test('a hub with another key does not get to a device that is empty', async () => {
    const elsewhere = new System(test);
    await newKey(file('stranger'));
    const attacker = await elsewhere.startTrainer([...SLOWLY, '--signing-key', file('stranger')]);
    const empty = await system.startAgent('empty', attacker.url, ['--publisher-key', first]);
    const says = /this hub does not speak for publisher key [0-9a-f]{12}…, which this device believes/;
    assert.match(await untilRefused(empty), says);
    const { lineId, modelId, head } = await agentStatus(empty);
    assert.deepEqual([lineId, modelId, head], [null, null, null]);
    await Promise.all([attacker, empty].map((service) => service.end('SIGTERM')));
  });

  const start = ['start', '--port', '0', '--state', hub.stateDirectory];
  await test.test(
    'the trainer does not go on without the key, or with one that nobody would follow',
    async () => {
      const refused = { exitCode: EXIT.usage, untouched: hub.stateDirectory };
      const without = /this line is signed with key .*: give its file with --signing-key/;
      await assertRefusal({ ...trainer(...start), ...refused, says: without });
      const unintroduced = /to change the key give the old one with --previous-key/;
      const other = ['--signing-key', file('second')];
      await assertRefusal({ ...trainer(...start, ...other), ...refused, says: unintroduced });
    },
  );

  await test.test(
    'a key introduced by the one before is followed, and pinned without being given',
    async () => {
      const keys = ['--signing-key', file('second'), '--previous-key', file('first')];
      const again = await system.startTrainer([...SLOWLY, ...keys], port);
      const newest = (await trainerStatus(again)).head?.version;
      device = await system.startAgent('device', relay.url);
      const target = await untilBehind(device, newest);
      assert.deepEqual((await agentStatus(device)).publisher, { configured: first, current: second });
      const status = await runCommand('freshet-agent', ['status', '--state', device.stateDirectory]);
      assert.match(
        status.stdout,
        new RegExp(`only key ${second.slice(0, 12)}…, rotated from ${first.slice(0, 12)}…`),
      );
      await rollback(again, target);
      assert.equal((await agentStatus(device)).pinned, target);
      await Promise.all([again, device].map((service) => service.end('SIGTERM')));
    },
  );

  await test.test('where signing is given up, the operator of the device may follow', async () => {
    const unsigned = await system.startTrainer([...SLOWLY, '--unsigned'], port);
    const { publisherKey, head } = await trainerStatus(unsigned);
    assert.equal(publisherKey, null);
    device = await system.startAgent('device', relay.url, ['--publisher-key', 'none']);
    await untilBehind(device, head?.version);
    assert.equal((await agentStatus(device)).publisher, null);
  });
});
