/**
 * Commands that a running trainer or agent, or what one has left on disk, cannot obey: one line that says why and
 * what to do, the exit code for its kind, and nothing changed. One system serves all cases.
 */
import { strict as assert } from 'node:assert';
import { cpSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { EXIT } from '@freshet/protocol/errors';
import Database from 'better-sqlite3';
import { agent, assertRefusal, type Refusal, trainer } from '../support/refusal.ts';
import { agentStatus, runCommand, type Service, System, untilServes } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** As many processes at a time as `npm test` has cores to count on. */
const CONCURRENCY = 2;
const STEPS = 20;

type Case = Omit<Refusal, 'untouched'>;

/** Requests that the model cannot answer, whoever is asked. */
const BAD_REQUESTS: Readonly<Record<string, { stdin: string; says: RegExp }>> = {
  'no request': { stdin: 'null', says: /the body must be an object, not null/ },
  'wrong shape': {
    stdin: requestWith({ shape: [1, 784] }),
    says: /inputs\[0\]\.shape: input "input" is \[-1, 28, 28, 1\] .*, not \[1, 784\]/,
  },
  'wrong datatype': {
    stdin: requestWith({ datatype: 'INT64' }),
    says: /inputs\[0\]\.datatype: input "input" is FP32, not INT64/,
  },
  'wrong count': {
    stdin: requestWith({ data: [1, 2, 3] }),
    says: /inputs\[0\]\.data has 3 elements, but shape \[1, 28, 28, 1\] holds 784/,
  },
  'wrong count of mere values': {
    stdin: '[1, 2, 3]',
    says: /3 values do not make samples of \[28, 28, 1\], which input "input" takes/,
  },
  'wrong input name': {
    stdin: requestWith({ name: 'pixels' }),
    says: /the model has no input "pixels"; it has "input"/,
  },
};

function requestWith(change: Record<string, unknown>): string {
  const input = { name: 'input', datatype: 'FP32', shape: [1, 28, 28, 1], data: Array(784).fill(0) };
  return JSON.stringify({ inputs: [{ ...input, ...change }] });
}

it('a running trainer and agent', { timeout: 90_000 }, async (test) => {
  const system = new System(test);
  const hub = await system.startTrainer(['--steps', String(STEPS)]);
  const device = await system.startAgent('device', hub.url);
  const lonely = await system.startAgent('lonely', 'http://127.0.0.1:9');
  await untilServes(device, STEPS + 1);
  const inParallel = { concurrency: CONCURRENCY };

  await test.test('refuse what they do not know', inParallel, async (group) => {
    await Promise.all([...unknownVersions(group, device, hub), ...inferences(group, device)]);
  });
  await test.test('keep what is theirs', inParallel, async (group) => {
    await Promise.all(intrusions(group, system.directory, device, hub));
  });
  await test.test('have nothing to give yet', inParallel, async (group) => {
    await Promise.all(emptyStore(group, lonely));
  });
  await lonely.end('SIGTERM');
  // One after the other: they take the database for themselves.
  await test.test('have nothing to give when stopped', async (group) => {
    await Promise.all(emptyStore(group, lonely));
  });
  await test.test('are gone, and only their runtime files are left', async (group) => {
    await goneAgent(group, system, device, hub);
    await goneTrainer(group, system.directory, hub);
  });
  await test.test('find their databases spoilt', inParallel, async (group) => {
    await Promise.all([...spoiltStores(group, device), ...spoiltLogs(group, hub)]);
  });
});

/** A refusal of a service that runs: what it has on disk may change for other reasons, what it serves may not. */
async function assertRefusedBy(
  service: Service,
  refusal: Omit<Refusal, 'args'> & { args: readonly string[] },
) {
  await assertRefusal({ ...refusal, args: [...refusal.args, '--state', service.stateDirectory] });
}

function unknownVersions(group: TestContext, device: Service, hub: Service): Promise<void>[] {
  const refused = { exitCode: EXIT.refused };
  const stored = /\(see `freshet-agent versions`\)/;
  return [
    group.test('freshet-agent rollback to an unknown version', async () => {
      const before = await agentStatus(device);
      const untouched = device.stateDirectory;
      const says = new RegExp(`version 9999 is not stored here.*${stored.source}`);
      await assertRefusedBy(device, { ...agent('rollback', '9999'), ...refused, says, untouched });
      const far = new RegExp(`cannot go 9999 versions back from ${STEPS + 1}:.*${stored.source}`);
      await assertRefusedBy(device, {
        ...agent('rollback', '--by', '9999'),
        ...refused,
        says: far,
        untouched,
      });
      const { pinned, served } = await agentStatus(device);
      assert.deepEqual({ pinned, served }, { pinned: before.pinned, served: before.served });
    }),
    group.test('freshet rollback to an unknown version or of an unknown agent', async () => {
      const says = /version: 9999 is not in the log/;
      await assertRefusedBy(hub, { ...trainer('rollback', '9999'), ...refused, says });
      const nobody = /no agent is called nobody/;
      await assertRefusedBy(hub, {
        ...trainer('rollback', '1', '--agent', 'nobody'),
        ...refused,
        says: nobody,
      });
      const response = await hub.client.fetch('GET', '/api/v1/commands/1');
      assert.equal(response.status, 404, 'an order was given');
    }),
  ];
}

function inferences(group: TestContext, device: Service): Promise<void>[] {
  const refused = { exitCode: EXIT.refused, untouched: device.stateDirectory };
  const requests = Object.entries(BAD_REQUESTS).map(([name, request]) =>
    group.test(`freshet-agent infer: ${name}`, () =>
      assertRefusedBy(device, { ...agent('infer'), ...refused, ...request }),
    ),
  );
  const notPng = group.test('freshet-agent infer: not a PNG', async (test) => {
    const path = join(temporaryDirectory(test), 'seven.png');
    writeFileSync(path, 'this is no picture\n');
    const says = /seven\.png: the file is not a PNG/;
    await assertRefusedBy(device, { ...agent('infer', path), ...refused, says });
  });
  return [...requests, notPng];
}

function intrusions(group: TestContext, directory: string, device: Service, hub: Service): Promise<void>[] {
  const refused = { exitCode: EXIT.refused };
  const port = (service: Service): string => new URL(service.url).port;
  return [
    group.test('freshet-agent run: port in use', async () => {
      const state = join(directory, 'second');
      const args = ['run', '--http-port', port(device), '--state', state];
      const says = /port \d+ on 127\.0\.0\.1 is in use; choose another with --http-port/;
      await assertRefusal({ program: 'freshet-agent', args, ...refused, says, untouched: state });
    }),
    group.test('freshet start: port in use', async () => {
      const state = join(directory, 'third');
      const args = ['start', '--port', port(hub), '--state', state];
      const says = /port \d+ on 127\.0\.0\.1 is in use; choose another with --port/;
      await assertRefusal({ program: 'freshet', args, ...refused, says, untouched: state });
    }),
    group.test('freshet-agent run: the directory of another agent', async () => {
      const says = new RegExp(`in use by another agent \\(pid ${device.pid}\\): stop that agent, or`);
      const command = agent('run', '--http-port', '0', '--hub', 'ws://127.0.0.1:9');
      await assertRefusedBy(device, { ...command, ...refused, says, untouched: device.stateDirectory });
      assert.equal((await agentStatus(device)).process?.pid, device.pid);
    }),
    group.test('freshet start: the directory of another trainer', async () => {
      const says = /versions\.db is in use by another process: stop that one, or/;
      await assertRefusedBy(hub, { ...trainer('start', '--port', '0'), ...refused, says });
      await hub.client.call('GET', '/api/v1/status');
    }),
  ];
}

/** What needs a version, on a device that has none. */
function emptyStore(group: TestContext, lonely: Service): Promise<void>[] {
  const which = lonely.isRunning ? 'running' : 'stopped';
  const cases: Record<string, Case> = {
    'rollback head': {
      ...agent('rollback', 'head'),
      exitCode: EXIT.refused,
      says: /no version is stored yet: there is nothing to serve/,
    },
    'rollback --by 1': {
      ...agent('rollback', '--by', '1'),
      exitCode: EXIT.refused,
      says: /nothing is served yet: there is nothing to go back from/,
    },
    infer: {
      ...agent('infer'),
      stdin: '[0]',
      exitCode: EXIT.unreachable,
      says: /(no version is stored|the agent has no model) yet: (the first one|it) has to come from the hub/,
    },
  };
  return Object.entries(cases).map(([name, each]) =>
    group.test(`freshet-agent ${name}, ${which}`, () =>
      assertRefusedBy(lonely, { ...each, untouched: lonely.stateDirectory }),
    ),
  );
}

/** Killed, the agent leaves a record of an address where it no longer is: commands fall back to its database. */
async function goneAgent(group: TestContext, system: System, device: Service, hub: Service): Promise<void> {
  const { served } = await agentStatus(device);
  await device.end('SIGKILL');
  const state = ['--state', device.stateDirectory];
  const ask = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { exitCode, stdout, stderr } = await runCommand('freshet-agent', [...args, '--json', ...state]);
    assert.deepEqual({ exitCode, stderr }, { exitCode: EXIT.ok, stderr: '' });
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  await group.test('freshet-agent status, versions and verify: nobody at the address', async () => {
    const status = await ask('status');
    assert.deepEqual([status['process'], status['served']], [null, served]);
    assert.equal((await ask('versions'))['count'], status['versionCount']);
    assert.equal((await ask('verify'))['ok'], true);
  });
  await group.test('freshet-agent status: another agent at the address', async () => {
    const heir = await system.startAgent('heir', hub.url, ['--http-port', new URL(device.url).port]);
    assert.equal((await ask('status'))['process'], null);
    await heir.end('SIGTERM');
  });
  await group.test('freshet-agent infer: a request that does not fit, on the database', async () => {
    const { stdin, says } = BAD_REQUESTS['wrong shape']!;
    const untouched = device.stateDirectory;
    await assertRefusedBy(device, { ...agent('infer'), stdin, exitCode: EXIT.refused, says, untouched });
  });
  await group.test('freshet-agent status: a runtime file that is none', async () => {
    writeFileSync(join(device.stateDirectory, 'agent.json'), '{"pid": 1');
    const says = /agent\.json is damaged: remove it, and if the agent is running start it again/;
    const untouched = device.stateDirectory;
    await assertRefusedBy(device, { ...agent('status'), exitCode: EXIT.failed, says, untouched });
  });
}

async function goneTrainer(group: TestContext, directory: string, hub: Service): Promise<void> {
  await group.test('freshet status: another trainer at the address', async () => {
    const state = join(directory, 'earlier');
    mkdirSync(state);
    const record = { pid: 1, url: hub.url, adminToken: 'of a trainer that had this port before' };
    writeFileSync(join(state, 'trainer.json'), JSON.stringify(record));
    const says = /is another process's by now: the one asked for has ended; start it again/;
    const refusal = { ...trainer('status', '--state', state), exitCode: EXIT.unreachable, says };
    await assertRefusal({ ...refusal, untouched: state });
  });
  await hub.end('SIGKILL');
  await group.test('freshet status: nobody at the address', async () => {
    const says = /nobody answers at http:.*: the process has ended or hangs; start it again/;
    const untouched = hub.stateDirectory;
    await assertRefusedBy(hub, { ...trainer('status'), exitCode: EXIT.unreachable, says, untouched });
  });
  await group.test('freshet status: a runtime file that is none', async () => {
    writeFileSync(join(hub.stateDirectory, 'trainer.json'), '');
    const says = /trainer\.json is damaged: remove it, and if the trainer is running start it again/;
    const untouched = hub.stateDirectory;
    await assertRefusedBy(hub, { ...trainer('status'), exitCode: EXIT.failed, says, untouched });
  });
}

/** Ways to spoil the database at a path. */
const SPOILS: Record<'newer' | 'foreign' | 'corrupt', (path: string) => void> = {
  newer: (path) => new Database(path).exec('PRAGMA user_version = 99').close(),
  foreign: (path) => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    new Database(path).exec('CREATE TABLE notes (text TEXT)').close();
  },
  corrupt: (path) => {
    // Closing moves what the killed process has left in its log into the file.
    new Database(path).exec('SELECT count(*) FROM sqlite_schema').close();
    truncateSync(path, 5000);
  },
};

function spoiltStores(group: TestContext, device: Service): Promise<void>[] {
  const expected: Record<keyof typeof SPOILS, Pick<Case, 'exitCode' | 'says'>> = {
    newer: { exitCode: EXIT.refused, says: /weights\.db was written by a newer Freshet .*update this agent/ },
    foreign: { exitCode: EXIT.refused, says: /weights\.db is a database of another program: give another/ },
    corrupt: { exitCode: EXIT.failed, says: /weights\.db is damaged \(.*\): move it away and start/ },
  };
  const run = agent('run', '--http-port', '0', '--hub', 'ws://127.0.0.1:9');
  const commands = [run, agent('status'), agent('verify')];
  return kindsOf(expected).map((kind) =>
    group.test(`freshet-agent: ${kind} database`, async (test) => {
      const state = spoiltCopy(test, device.stateDirectory, 'weights.db', kind);
      for (const { program, args } of kind === 'corrupt' ? commands : [run]) {
        const refusal = { program, args: [...args, '--state', state], untouched: state };
        await assertRefusal({ ...refusal, ...expected[kind] });
      }
    }),
  );
}

function spoiltLogs(group: TestContext, hub: Service): Promise<void>[] {
  const expected: Record<keyof typeof SPOILS, Pick<Case, 'exitCode' | 'says'>> = {
    newer: { exitCode: EXIT.refused, says: /versions\.db was written by a newer Freshet .*upgrade, or/ },
    foreign: { exitCode: EXIT.refused, says: /versions\.db is not a Freshet version log: use another/ },
    corrupt: { exitCode: EXIT.failed, says: /versions\.db is damaged \(.*\): restore it from a backup/ },
  };
  return kindsOf(expected).map((kind) =>
    group.test(`freshet start: ${kind} database`, async (test) => {
      const state = spoiltCopy(test, hub.stateDirectory, 'versions.db', kind);
      const refusal = { ...trainer('start', '--port', '0', '--state', state), untouched: state };
      await assertRefusal({ ...refusal, ...expected[kind] });
    }),
  );
}

const kindsOf = (expected: Record<keyof typeof SPOILS, unknown>) =>
  Object.keys(expected) as (keyof typeof SPOILS)[];

/** A copy of `stateDirectory` with its `database` spoilt, and without a record of a process. */
function spoiltCopy(
  test: TestContext,
  stateDirectory: string,
  database: string,
  kind: keyof typeof SPOILS,
): string {
  const state = join(temporaryDirectory(test), 'state');
  cpSync(stateDirectory, state, { recursive: true, filter: (path) => !path.endsWith('.json') });
  SPOILS[kind](join(state, database));
  return state;
}
