/**
 * Builds tfjs-node's addon against the TensorFlow of a pip wheel. The addon that npm would fetch is tied to TensorFlow
 * 2.9.1, which knows neither CUDA 12 nor the GPUs since; but it uses nothing but TensorFlow's stable C interface, so
 * its two C++ files compile against any later one.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { FreshetError } from '@freshet/protocol/errors';
import type { BackendName } from '@freshet/trainer/learn/backends/backend';
import { NATIVE_ENTRY, NATIVE_VARIABLE } from '@freshet/trainer/learn/backends/native-build';
import { examineBackend, LENET5 } from '@freshet/trainer/learn/doctor/examination';
import { requireTool, runStep } from './tools.ts';

export interface NativeBuildOptions {
  /** Where the build goes, beside which it is made. An earlier one there is replaced when the new one works. */
  readonly folder: string;
  readonly cuda: boolean;
  /** Version of the wheel. */
  readonly tensorflow: string;
  /** Commands. */
  readonly python: string;
  readonly compiler: string;
}

export interface NativeBuild extends Trial {
  readonly folder: string;
  readonly tensorflow: string;
}

/** What a build has shown itself to be. */
interface Trial {
  readonly backend: BackendName;
  readonly adapter: string;
  /** Of LeNet-5 with 128 samples. */
  readonly stepMs: number;
}

/** Takes one line for a person on what is going on. */
export type Note = (line: string) => void;

const ROOT = join(import.meta.dirname, '../..');
/** Must be that of the tfjs packages which the trainer uses. */
const TFJS_VERSION = '4.22.0';
const HEADERS_VERSION = '1.9.0';
/** What tfjs-node shares with the trainer. Copies of its own would be another tfjs, with other tensors. */
const SHARED_PACKAGES = ['tfjs-backend-cpu', 'tfjs-core', 'tfjs-layers'] as const;
/** The highest that tfjs-node 4.22.0 looks for; Node.js keeps all older ones. */
const NODE_API_VERSION = 8;
const EXAMINATION = { batchCount: 128, budgetMs: 1000, timeoutMs: 600_000 } as const;

/** @throws BACKEND_UNAVAILABLE naming what is missing or has failed; an earlier build is as it was */
export async function buildNative(options: NativeBuildOptions, note: Note): Promise<NativeBuild> {
  requireLinux(process.platform);
  await requireTools(options);
  requireTfjsVersion();
  const { folder, tensorflow } = options;
  const workshop = join(dirname(folder), 'next');
  rmSync(workshop, { recursive: true, force: true });
  mkdirSync(workshop, { recursive: true });
  try {
    const trial = await buildIn(workshop, options, note);
    rmSync(folder, { recursive: true, force: true });
    renameSync(workshop, folder);
    return { folder, tensorflow, ...trial };
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
}

async function buildIn(workshop: string, options: NativeBuildOptions, note: Note): Promise<Trial> {
  const { tensorflow, cuda } = options;
  note(`npm: @tensorflow/tfjs-node ${TFJS_VERSION}`);
  await installSources(workshop);
  note(`pip: TensorFlow ${tensorflow}${cuda ? ' with CUDA' : ''} (this is large)`);
  await installTensorFlow(workshop, options);
  note(`${options.compiler}: the addon`);
  await compileAddon(workshop, options.compiler);
  writeFileSync(join(workshop, NATIVE_ENTRY), "require('@tensorflow/tfjs-node');\n");
  note('trying it');
  return tryBuild(workshop, cuda);
}

function requireLinux(platform: NodeJS.Platform): void {
  if (platform === 'linux') return;
  throw new FreshetError(
    'BACKEND_UNAVAILABLE',
    `the native build is for Linux, and this is ${platform}: use webgpu or wasm, which are installed already`,
  );
}

async function requireTools({ python, compiler }: NativeBuildOptions): Promise<void> {
  await requireTool({
    command: python,
    versionArgs: ['--version'],
    what: 'Python',
    remedy: 'install it (Debian: apt-get install python3 python3-pip), or name one with --python',
  });
  await requireTool({
    command: python,
    versionArgs: ['-m', 'pip', '--version'],
    what: 'pip',
    remedy: 'install it (Debian: apt-get install python3-pip), or name another Python with --python',
  });
  await requireTool({
    command: compiler,
    versionArgs: ['--version'],
    what: 'a C++ compiler',
    remedy: 'install one (Debian: apt-get install g++), or name one with --compiler',
  });
}

/** The addon's JavaScript runs on the trainer's copy of tfjs. */
function requireTfjsVersion(): void {
  const manifest: unknown = JSON.parse(
    readFileSync(join(ROOT, 'node_modules/@tensorflow/tfjs-core/package.json'), 'utf8'),
  );
  const version = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : null;
  if (version === TFJS_VERSION) return;
  throw new FreshetError(
    'BACKEND_UNAVAILABLE',
    `this builds the addon of tfjs ${TFJS_VERSION}, and tfjs ${version} is installed: run \`npm install\` first`,
  );
}

async function installSources(folder: string): Promise<void> {
  const manifest = {
    private: true,
    dependencies: { '@tensorflow/tfjs-node': TFJS_VERSION, 'node-api-headers': HEADERS_VERSION },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--no-workspaces'];
  await runStep('npm', ['install', ...flags], {
    purpose: 'install the sources of tfjs-node with npm',
    remedy: 'see that the npm registry can be reached, and run it again',
    cwd: folder,
  });
  for (const name of SHARED_PACKAGES) {
    rmSync(join(folder, 'node_modules/@tensorflow', name), { recursive: true, force: true });
  }
}

/** Into a folder of ours: the Python it is run with is left as it is. */
async function installTensorFlow(
  folder: string,
  { cuda, tensorflow, python }: NativeBuildOptions,
): Promise<void> {
  const target = join(folder, 'python');
  // On a CPU, TensorFlow's libraries need none of its Python packages; with CUDA they come as such packages.
  const what = cuda ? [`tensorflow[and-cuda]==${tensorflow}`] : ['--no-deps', `${cpuWheel()}==${tensorflow}`];
  const flags = ['--disable-pip-version-check', '--only-binary', ':all:', '--target', target];
  await runStep(python, ['-m', 'pip', 'install', ...flags, ...what], {
    purpose: `install TensorFlow ${tensorflow} with pip`,
    remedy:
      'see that there is a wheel for this Python and processor, or name others with --python and --tensorflow',
    cwd: folder,
  });
  if (existsSync(join(target, 'tensorflow/libtensorflow_cc.so.2'))) return;
  throw new FreshetError(
    'BACKEND_UNAVAILABLE',
    `the wheel of TensorFlow ${tensorflow} has no libtensorflow_cc.so.2: name another version with --tensorflow`,
  );
}

/** The smaller wheel without CUDA, where there is one; on other processors the usual one has none either. */
function cpuWheel(): string {
  return process.arch === 'x64' ? 'tensorflow-cpu' : 'tensorflow';
}

async function compileAddon(folder: string, compiler: string): Promise<void> {
  const sources = join(folder, 'node_modules/@tensorflow/tfjs-node');
  const tensorflow = join(folder, 'python/tensorflow');
  // Where tfjs-node looks for it.
  const output = join(sources, `lib/napi-v${NODE_API_VERSION}`);
  mkdirSync(output, { recursive: true });
  // As binding.gyp has it, but for where the libraries are: they stay in the wheel, and find CUDA from there.
  const args = [
    ...['-std=c++17', '-O2', '-fPIC', '-shared', '-w', `-DNAPI_VERSION=${NODE_API_VERSION}`],
    ...['-I', sources, '-I', join(folder, 'node_modules/node-api-headers/include')],
    ...['-I', join(tensorflow, 'include')],
    ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(sources, 'binding', file)),
    ...['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'].map((file) => join(tensorflow, file)),
    `-Wl,-rpath,$ORIGIN/${relative(output, tensorflow)}`,
    ...['-o', join(output, 'tfjs_binding.node')],
  ];
  await runStep(compiler, args, {
    purpose: "compile tfjs-node's addon",
    remedy: 'use a compiler for C++17 (--compiler), or another version with --tensorflow',
    cwd: folder,
  });
}

/** Trains with it in a process of its own. @throws BACKEND_UNAVAILABLE */
async function tryBuild(folder: string, cuda: boolean): Promise<Trial> {
  const backend = cuda ? 'tfjs-node-gpu' : 'tfjs-node';
  const program = { ...LENET5, env: { [NATIVE_VARIABLE]: folder } };
  const finding = await examineBackend(backend, EXAMINATION, program);
  if (finding.kind === 'runs') return { backend, adapter: finding.adapter, stepMs: finding.stepMs };
  throw new FreshetError(
    'BACKEND_UNAVAILABLE',
    `TensorFlow was built and is not kept, because it does not train as ${backend} (${finding.reason}): ${finding.remedy}`,
  );
}
