/**
 * What npm puts on a device, derived from the lock file: all that can be reached from the agent's package, optional peers
 * included where something else has them installed, which is how a compiler once came along.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';

interface LockedPackage {
  /** Of a link: the folder of the workspace. */
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const LOCK_FILE = join(import.meta.dirname, '../../package-lock.json');
const { packages }: { packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(
  readFileSync(LOCK_FILE, 'utf8'),
);

/** Where `name` is found from the package at `from`: in its own node_modules, or in one further up. */
function place(name: string, from: string): string | null {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const candidate = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    const locked = packages[candidate];
    if (locked !== undefined) return locked.link === true ? locked.resolved! : candidate;
    if (folder === '') return null;
  }
}

function reachableFrom(root: string): Set<string> {
  const reached = new Set([root]);
  for (const from of reached) {
    const { dependencies, optionalDependencies, peerDependencies } = packages[from]!;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const found = place(name, from);
      if (found !== null) reached.add(found);
    }
  }
  return reached;
}

it('a device gets neither tfjs nor the samples nor a compiler', () => {
  const installed = [...reachableFrom('edge-agent')];
  assert.ok(installed.includes('node_modules/onnxruntime-node') && installed.includes('protocol'));
  const unwanted = installed.filter((path) => /typescript|tensorflow|mnist|biome|@types/.test(path));
  assert.deepEqual(unwanted, []);
});
