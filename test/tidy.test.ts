/**
 * The rules of the house that a machine can check: who may import what, how long a file may be, and that every error
 * code is documented and provoked by a test.
 */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { ERROR_TRAITS } from '@freshet/protocol/errors';

const ROOT = join(import.meta.dirname, '..');
const FILE_LINES_MAX = 400;
const TEST_FILE_LINES_MAX = 800;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter((path) => !path.includes('/generated/'));

const sources = files.map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

const production = sources.filter(({ path }) => !path.startsWith('test/') && !path.startsWith('scripts/'));

const IMPORT = /^(?:import|export)\b[^'"]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;

/** Module specifiers of a file, types included; relative ones as paths from the root. */
function importsOf({ path, text }: { path: string; text: string }): string[] {
  return [...text.matchAll(IMPORT)].map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? '';
    return specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : specifier;
  });
}

function violations(check: (path: string, specifier: string) => boolean): string[] {
  return production.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => check(file.path, specifier))
      .map((specifier) => `${file.path} imports ${specifier}`),
  );
}

const isIn = (path: string, folder: string) => path.startsWith(`${folder}/`);

/** The wire contract proper: everything in protocol but what both programs do alike on their own machine. */
const isContract = (path: string) => isIn(path, 'protocol') && !isIn(path, 'protocol/local');

/** Third-party packages and the only folders that may know them. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  '@bufbuild/protobuf': ['trainer/onnx'],
  '@hono/node-server': ['protocol/local'],
  '@tensorflow/tfjs-backend-cpu': ['trainer/learn/backends'],
  '@tensorflow/tfjs-backend-wasm': ['trainer/learn/backends', 'trainer/learn/kernels'],
  '@tensorflow/tfjs-core': ['trainer/learn', 'trainer/onnx'],
  '@tensorflow/tfjs-layers': ['trainer/learn', 'trainer/onnx'],
  'better-sqlite3': ['edge-agent/store', 'trainer/history'],
  'cli-progress': ['trainer/cli'],
  commander: ['protocol/local', 'edge-agent/cli', 'trainer/cli'],
  'fast-png': ['edge-agent/serve'],
  hono: [
    'protocol/local',
    'edge-agent/serve',
    'edge-agent/control',
    'edge-agent/feedback',
    'edge-agent/agent',
    'trainer/admin',
  ],
  msgpackr: ['protocol'],
  'onnxruntime-node': ['edge-agent/serve'],
  // A type for the log that is handed down; made only at the entry points.
  pino: ['edge-agent', 'trainer'],
  'prom-client': ['edge-agent/serve', 'trainer/admin'],
  'pure-rand': ['trainer/core'],
  valibot: ['protocol/local', 'edge-agent', 'trainer'],
  ws: ['edge-agent/link', 'trainer/hub'],
};

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}

const isThirdParty = (specifier: string) =>
  !/^(node:|@freshet\/|(protocol|trainer|edge-agent|scripts|test)\/)/.test(specifier);

describe('layering', () => {
  it('the contract imports nothing but itself, its codec library, cryptography, and compression in one place', () => {
    const cryptographic = ['protocol/digest.ts', 'protocol/signature.ts'];
    const allowed = (path: string, specifier: string) =>
      isContract(specifier) ||
      (path === 'protocol/codec.ts' && specifier === 'msgpackr') ||
      (cryptographic.includes(path) && specifier === 'node:crypto') ||
      // What Zstandard makes of a plane is part of the format; zlib touches neither disk nor clock.
      (path === 'protocol/snapshot-chunk.ts' && specifier === 'node:zlib');
    assert.deepEqual(
      violations((path, specifier) => isContract(path) && !allowed(path, specifier)),
      [],
    );
  });

  it('trainer and edge-agent never import each other', () => {
    const crosses = (path: string, specifier: string) =>
      (isIn(path, 'trainer') &&
        (isIn(specifier, 'edge-agent') || specifier.startsWith('@freshet/edge-agent'))) ||
      (isIn(path, 'edge-agent') && (isIn(specifier, 'trainer') || specifier.startsWith('@freshet/trainer')));
    assert.deepEqual(violations(crosses), []);
  });

  it('packages reach the protocol by its name', () => {
    const byPath = (path: string, specifier: string) =>
      !isIn(path, 'protocol') && isIn(specifier, 'protocol');
    assert.deepEqual(violations(byPath), []);
  });

  it('core imports only the contract, core and what has no side effects', () => {
    const isCore = (path: string) => /^(trainer|edge-agent)\/core\//.test(path);
    const pure = ['valibot', 'pure-rand'];
    const allowed = (specifier: string) =>
      isCore(specifier) ||
      (specifier.startsWith('@freshet/protocol/') && !specifier.startsWith('@freshet/protocol/local/')) ||
      pure.includes(packageOf(specifier));
    assert.deepEqual(
      violations((path, specifier) => isCore(path) && !allowed(specifier)),
      [],
    );
  });

  it('core reads no clock, no random source, no environment, and prints nothing', () => {
    const impure =
      /\b(Date\.now|new Date\(\)|performance\.|Math\.random|setTimeout|setInterval|process\.|console\.)/;
    const guilty = production
      .filter(({ path }) => /^((trainer|edge-agent)\/core|protocol\/[^/]+$)/.test(path))
      .filter(({ text }) => impure.test(text.replaceAll(/^\s*(\*|\/\/|\/\*).*$/gm, '')));
    assert.deepEqual(
      guilty.map(({ path }) => path),
      [],
    );
  });

  it('each third-party package is known to its owners only', () => {
    const foreign = (path: string, specifier: string) => {
      if (!isThirdParty(specifier)) return false;
      const owners = OWNERS[packageOf(specifier)];
      return owners === undefined || !owners.some((folder) => isIn(path, folder));
    };
    assert.deepEqual(violations(foreign), []);
  });

  it('nothing imports scripts but their tests', () => {
    const outside = sources.filter(({ path }) => !isIn(path, 'scripts') && !/^test\/[a-z]+\//.test(path));
    const guilty = outside.filter((file) => importsOf(file).some((specifier) => isIn(specifier, 'scripts')));
    assert.deepEqual(
      guilty.map(({ path }) => path),
      [],
    );
  });

  it('scripts take from the tests what supports them, and no test', () => {
    const scripts = sources.filter(({ path }) => isIn(path, 'scripts'));
    const guilty = scripts.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => isIn(specifier, 'test') && !isIn(specifier, 'test/support'))
        .map((specifier) => `${file.path} imports ${specifier}`),
    );
    assert.deepEqual(guilty, []);
  });

  it('imports do not go in circles', () => {
    assert.deepEqual(findCycle(), null);
  });
});

/** Resolves what one of our files imports to the path of another, or null for anything else. */
function resolveOurs(specifier: string): string | null {
  const byName = /^@freshet\/([^/]+)\/(.+)$/.exec(specifier);
  const path = byName === null ? specifier : `${byName[1]}/${byName[2]}.ts`;
  return files.includes(path) ? path : null;
}

/** A circle of value imports; circles of types cost nothing at run time and are left to the compiler. */
function findCycle(): string[] | null {
  const graph = new Map(
    production.map((file) => {
      const values = { ...file, text: file.text.replaceAll(/^import type [\s\S]*?from '[^']+';$/gm, '') };
      return [
        file.path,
        importsOf(values)
          .map(resolveOurs)
          .filter((path) => path !== null),
      ];
    }),
  );
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return null;
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle !== null) return cycle;
    }
    done.add(path);
    return null;
  };
  for (const path of graph.keys()) {
    const cycle = visit(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

describe('size', () => {
  it('no file is longer than it can be read at a sitting', () => {
    const limit = (path: string) => (path.startsWith('test/') ? TEST_FILE_LINES_MAX : FILE_LINES_MAX);
    const long = sources.map(({ path, text }) => ({ path, lines: text.split('\n').length }));
    assert.deepEqual(
      long.filter(({ path, lines }) => lines > limit(path)),
      [],
    );
  });
});

describe('suppressions', () => {
  it('there are none', () => {
    const suppression = /@ts-(ignore|expect-error|nocheck)|biome-ignore|\bas any\b|\.(only|skip|todo)\(/;
    const guilty = sources.filter(({ path, text }) => path !== 'test/tidy.test.ts' && suppression.test(text));
    assert.deepEqual(
      guilty.map(({ path }) => path),
      [],
    );
  });
});

describe('error codes', () => {
  const codes = Object.keys(ERROR_TRAITS);

  it('each has a row in PROTOCOL.md', () => {
    const protocol = readFileSync(join(ROOT, 'PROTOCOL.md'), 'utf8');
    assert.deepEqual(
      codes.filter((code) => !protocol.includes(`\`${code}\``)),
      [],
    );
  });

  it('each is provoked by a test', () => {
    const tests = sources.filter(({ path }) => path.startsWith('test/') && path !== 'test/tidy.test.ts');
    assert.deepEqual(
      codes.filter((code) => !tests.some(({ text }) => text.includes(code))),
      [],
    );
  });

  it('close codes are distinct and in the range for applications', () => {
    const closeCodes = Object.values(ERROR_TRAITS).flatMap(({ closeCode }) =>
      closeCode === null ? [] : [closeCode],
    );
    assert.equal(new Set(closeCodes).size, closeCodes.length);
    assert.deepEqual(
      closeCodes.filter((code) => code < 4000 || code > 4999),
      [],
    );
  });
});
