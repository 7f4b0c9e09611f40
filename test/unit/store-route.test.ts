/** Which records lead to a version. Histories are written as text: `5<4` is a delta from 4 to 5, `*` has a snapshot. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { planRoute, type RouteOptions } from '@freshet/edge-agent/store/route';
import type { HistoryEntry } from '@freshet/edge-agent/store/version-table';
import { asRoot, asWeightsVersion } from '@freshet/protocol/ids';

const IN_MEMORY: RouteOptions = { headInMemory: true, snapshotCost: 1 };
const ON_DISK: RouteOptions = { headInMemory: false, snapshotCost: 1 };

function history(text: string): HistoryEntry[] {
  return text.split(' ').map((word) => {
    const [, version, base, star] = /^(\d+)(?:<(\d+))?(\*?)$/.exec(word)!;
    return {
      version: asWeightsVersion(Number(version)),
      root: asRoot(''),
      base: base === undefined ? null : asWeightsVersion(Number(base)),
      hasSnapshot: star === '*',
    };
  });
}

function route(text: string, target: number, options: RouteOptions): string {
  const found = planRoute(history(text), asWeightsVersion(target), options);
  if (found === null) return 'none';
  return [found.snapshot ?? 'head', found.direction, ...found.records].join(' ');
}

describe('route to a version', () => {
  it('takes the direction with fewer records', () => {
    const text = '1* 2<1 3<2 4<3 5<4 6<5';
    assert.equal(route(text, 6, IN_MEMORY), 'head undo');
    assert.equal(route(text, 5, IN_MEMORY), 'head undo 6');
    assert.equal(route(text, 2, IN_MEMORY), '1 redo 2');
    assert.equal(route(text, 1, IN_MEMORY), '1 redo');
  });

  it('counts what reading a snapshot costs', () => {
    const text = '1* 2<1 3<2 4<3';
    assert.equal(route(text, 2, { headInMemory: true, snapshotCost: 1 }), '1 redo 2');
    assert.equal(route(text, 2, { headInMemory: true, snapshotCost: 2 }), 'head undo 4 3');
  });

  it('goes forwards from the nearest snapshot, or backwards from one above', () => {
    const text = '1* 2<1 3<2* 4<3 5<4 6<5 7<6* 8<7';
    assert.equal(route(text, 4, IN_MEMORY), '3 redo 4');
    assert.equal(route(text, 6, ON_DISK), '7 undo 7');
    assert.equal(route(text, 8, ON_DISK), '7 redo 8');
  });

  it('follows squashed deltas over the versions they skip', () => {
    assert.equal(route('2* 5<2 9<5', 5, ON_DISK), '2 redo 5');
    assert.equal(route('2* 5<2 9<5', 9, ON_DISK), '2 redo 5 9');
  });

  it('does not cross from one chain into another', () => {
    // 8 arrived as a snapshot over head 3; the versions below 2 are pruned, so 2 is reached from 3 only.
    const text = '2<1 3<2* 8* 9<8';
    assert.equal(route(text, 2, IN_MEMORY), '3 undo 3');
    assert.equal(route('2<1 3<2 8* 9<8', 2, IN_MEMORY), 'none');
  });
});
