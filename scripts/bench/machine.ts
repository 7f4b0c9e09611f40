/** What the numbers were measured on. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { TOOL_PACKAGES } from './rivals.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly os: string;
  readonly node: string;
  /** Versions of the Debian packages of the rivals; null where one is not installed, or the system is no Debian. */
  readonly tools: Readonly<Record<string, string | null>>;
  /** ISO 8601, UTC. */
  readonly date: string;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    os: `${distribution() ?? type()}, kernel ${release()}`,
    node: process.version,
    tools: Object.fromEntries(TOOL_PACKAGES.map((name) => [name, packageVersion(name)])),
    date: new Date().toISOString(),
  };
}

/** As os-release(5) has it. */
function distribution(): string | null {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** `dpkg-query --show` prints name, tab, version. */
function packageVersion(name: string): string | null {
  try {
    const line = execFileSync('dpkg-query', ['--show', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return line.trim().split('\t')[1] ?? null;
  } catch {
    return null;
  }
}
