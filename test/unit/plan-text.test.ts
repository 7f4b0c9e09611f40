/** What `freshet versions --plan` prints. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { PlanAnswer } from '../../trainer/admin/plan-answer.ts';
import { describePlan } from '../../trainer/cli/versions.ts';

const plan: PlanAnswer = {
  from: 17,
  to: 240,
  chosen: 'squash',
  deltaCount: 223,
  wireBytes: { chain: 40_000, squash: 30_000, snapshot: 250_000 },
  estimated: true,
};

const lineOf = (text: string, way: string): string =>
  text.split('\n').find((line) => line.startsWith(way)) ?? '';

test('the bytes of a snapshot are marked until they are exact, and no others', () => {
  const text = describePlan(plan);
  assert.match(lineOf(text, 'snapshot'), /≈ 250/);
  for (const way of ['chain', 'squash']) assert.doesNotMatch(lineOf(text, way), /≈/);
  assert.match(lineOf(text, 'squash'), /cheapest/);
  assert.doesNotMatch(describePlan({ ...plan, estimated: false }), /≈/);
});
