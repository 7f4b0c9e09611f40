/** The agent as a whole, on a real store and a real predictor, with nobody at the other end of the link. */
import { strict as assert } from 'node:assert';
import { it, type TestContext } from 'node:test';
import { Agent } from '@freshet/edge-agent/agent/agent';
import { FreshetError } from '@freshet/protocol/errors';
import { asAgentId } from '@freshet/protocol/ids';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { storeWith } from '../support/sum-store.ts';

/** Nobody listens on the discard port. */
const NOBODY = 'ws://127.0.0.1:9/v1/sync';

async function startAgent(test: TestContext, storePath: string): Promise<Agent> {
  const agent = new Agent({
    agentId: asAgentId('device'),
    storePath,
    hubUrl: NOBODY,
    syncUrl: NOBODY,
    keepVersions: 100,
    log: pino({ level: 'silent' }),
  });
  test.after(() => agent.close());
  await agent.start();
  return agent;
}

const isRefusal = (code: string) => (error: unknown) => error instanceof FreshetError && error.code === code;

it('a roll-back that fails leaves what was served served, and pinned as it was', async (test) => {
  const agent = await startAgent(test, storeWith(test, [1, 2, Number.NaN, 4]));
  assert.equal(agent.served()?.version, 4);
  await agent.rollback({ kind: 'version', version: 1 });
  await assert.rejects(agent.rollback({ kind: 'version', version: 3 }), isRefusal('VERSION_QUARANTINED'));
  assert.equal(agent.served()?.version, 1);
  assert.equal(agent.store.pinned(), 1);
  assert.equal(agent.store.versions().find(({ version }) => version === 3)?.state, 'quarantined');
});

it('a version that answers with NaN is quarantined, and the newest one that does not is served', async (test) => {
  const agent = await startAgent(test, storeWith(test, [1, 2, Number.NaN]));
  assert.equal(agent.served()?.version, 2);
});

it('roll-backs that are asked for at once are carried out one after the other', async (test) => {
  const agent = await startAgent(test, storeWith(test, [1, 2, 3, 4]));
  const reports = await Promise.all([
    agent.rollback({ kind: 'version', version: 2 }),
    agent.rollback({ kind: 'head' }),
    agent.rollback({ kind: 'back', count: 1 }),
  ]);
  assert.deepEqual(
    reports.map(({ before, after }) => [before?.version, after.version]),
    [
      [4, 2],
      [2, 4],
      [4, 3],
    ],
  );
  assert.equal(agent.store.pinned(), 3);
});

it('a roll-back to a version that is damaged on disk is refused, and the agent goes on', async (test) => {
  const path = storeWith(test, [1, 2, 3, 4]);
  const database = new Database(path);
  // Both ways to version 2: forward from 1, and back from 3.
  database.prepare("UPDATE deltas SET payload = x'00', undo = x'00' WHERE version IN (2, 3)").run();
  database.close();
  const agent = await startAgent(test, path);
  await assert.rejects(agent.rollback({ kind: 'version', version: 2 }), isRefusal('STORE_CORRUPT'));
  assert.equal(agent.served()?.version, 4);
  assert.equal(agent.store.pinned(), null);
  assert.equal((await agent.rollback({ kind: 'version', version: 1 })).after.version, 1);
});
