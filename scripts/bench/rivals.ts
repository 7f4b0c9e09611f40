/**
 * The same change by other means: general tools for binary differences, on files of the bare weights before and after,
 * and the obvious MessagePack object. Their times include reading and writing these files and finding what has changed.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SparseDelta } from '@freshet/protocol/delta';
import { FLOAT32_OPTIONS, Packr } from 'msgpackr';
import { medianMs } from './measure.ts';
import { type LastPublication, weightsAfter } from './publication.ts';

export const TOOL_NAMES = ['zstd3', 'zstd19', 'bsdiff', 'xdelta3'] as const;
export type ToolName = (typeof TOOL_NAMES)[number];
export type RivalName = ToolName | 'naive';

export type RivalResult =
  | { readonly bytes: number; readonly ms: number }
  /** `missing`: why there is no number. */
  | { readonly bytes: null; readonly ms: null; readonly missing: string };

export type Rivals = Readonly<Record<RivalName, RivalResult>>;

export interface RivalOptions {
  /** A tool that takes longer is stopped. */
  readonly timeoutMs: number;
  /** About how long the naive encoding is measured; the tools run once. */
  readonly budgetMs: number;
}

interface Files {
  readonly before: string;
  readonly after: string;
  readonly patch: string;
}

interface Tool {
  /** Also the name of the Debian package that brings it. */
  readonly command: string;
  args(files: Files): readonly string[];
}

/** With the options that give the smallest files; the windows hold all models there are here. */
const TOOLS: Readonly<Record<ToolName, Tool>> = {
  zstd3: { command: 'zstd', args: (files) => zstdArgs(3, files) },
  zstd19: { command: 'zstd', args: (files) => zstdArgs(19, files) },
  bsdiff: { command: 'bsdiff', args: ({ before, after, patch }) => [before, after, patch] },
  xdelta3: {
    command: 'xdelta3',
    args: ({ before, after, patch }) => [
      '-9',
      '-e',
      '-f',
      '-q',
      '-S',
      'lzma',
      '-B',
      String(2 ** 27),
      '-s',
      before,
      after,
      patch,
    ],
  },
};

/** The Debian packages of the tools. */
export const TOOL_PACKAGES: readonly string[] = [
  ...new Set(Object.values(TOOLS).map(({ command }) => command)),
];

function zstdArgs(level: number, { before, after, patch }: Files): string[] {
  return [`-${level}`, '-q', '-f', '--long=31', `--patch-from=${before}`, after, '-o', patch];
}

/** Runs every rival once on the change of `publication`, one after the other. */
export async function runRivals(publication: LastPublication, options: RivalOptions): Promise<Rivals> {
  const directory = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
  const files = {
    before: join(directory, 'before.f32'),
    after: join(directory, 'after.f32'),
    patch: join(directory, 'patch'),
  };
  try {
    writeFileSync(files.before, bytesOf(publication.base));
    writeFileSync(files.after, bytesOf(weightsAfter(publication)));
    return {
      zstd3: await runTool(TOOLS.zstd3, files, options),
      zstd19: await runTool(TOOLS.zstd19, files, options),
      bsdiff: await runTool(TOOLS.bsdiff, files, options),
      xdelta3: await runTool(TOOLS.xdelta3, files, options),
      naive: encodeNaively(publication.delta, options),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function bytesOf(weights: Float32Array): Uint8Array {
  return new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
}

async function runTool(
  { command, args }: Tool,
  files: Files,
  { timeoutMs }: RivalOptions,
): Promise<RivalResult> {
  rmSync(files.patch, { force: true });
  const startMs = performance.now();
  try {
    await promisify(execFile)(command, args(files), { timeout: timeoutMs, killSignal: 'SIGKILL' });
  } catch (error) {
    return { bytes: null, ms: null, missing: whyNot(error, command, timeoutMs) };
  }
  return { ms: performance.now() - startMs, bytes: statSync(files.patch).size };
}

function whyNot(error: unknown, command: string, timeoutMs: number): string {
  const { code, killed, message } = error as NodeJS.ErrnoException & { readonly killed?: boolean };
  if (code === 'ENOENT') return `${command} is not installed; the Debian package ${command} brings it`;
  if (killed === true) return `${command} took longer than ${timeoutMs / 1000} s (--rival-timeout)`;
  return `${command} failed: ${message.trim().replaceAll(/\s*\n\s*/g, ' ')}`;
}

/** {indices, values}, with values as float32 where MessagePack would otherwise write float64. */
function encodeNaively({ indices, valueBits }: SparseDelta, { budgetMs }: RivalOptions): RivalResult {
  const packr = new Packr({ useRecords: false, useFloat32: FLOAT32_OPTIONS.ALWAYS });
  const values = new Float32Array(valueBits.buffer, valueBits.byteOffset, valueBits.length);
  const encode = () => packr.pack({ indices: Array.from(indices), values: Array.from(values) });
  return { bytes: encode().length, ms: medianMs({ run: encode }, budgetMs) };
}
