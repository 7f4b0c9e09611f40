/** The bench of the delta format: every model, density and value format, then a long chain of deltas. */
import { VALUE_FORMATS } from '@freshet/protocol/payload/value-format';
import { describeMachine } from './machine.ts';
import { lastPublication } from './publication.ts';
import { type Rivals, runRivals } from './rivals.ts';
import { openTrajectory, type TrajectoryName } from './trajectories.ts';
import type { Trajectory } from './trajectory.ts';
import { measureCase } from './wire-case.ts';
import { runChain } from './wire-chain.ts';
import type { ChainResult, WireCase, WireReport } from './wire-report.ts';
import { formatDensity, LENET5_FEW_DENSITY, wireTargets } from './wire-targets.ts';

/** Which changes rivals are given: none, the exact one of each density, or that of every format. */
export const RIVAL_CHOICES = ['none', 'f32', 'all'] as const;
export type RivalChoice = (typeof RIVAL_CHOICES)[number];

export interface WireOptions {
  readonly models: readonly TrajectoryName[];
  readonly rivals: RivalChoice;
  readonly rivalTimeoutMs: number;
  /** Deltas in a row; 0 for none. */
  readonly chainLength: number;
  readonly seed: number;
  /** About how long each time is measured. */
  readonly budgetMs: number;
}

/** Takes one line for a person on what is going on. */
export type Note = (line: string) => void;

const DENSITIES = [1e-4, 1e-3, 1e-2, 1e-1];
/** In a larger model a chain of thousands takes hours, and shows nothing that it does not show in a small one. */
const CHAIN_ELEMENTS_MAX = 100_000;

export async function benchWire(options: WireOptions, note: Note): Promise<WireReport> {
  const machine = describeMachine();
  const cases: WireCase[] = [];
  const chains: ChainResult[] = [];
  for (const name of options.models) {
    note(`${name}: preparing`);
    const trajectory = await openTrajectory(name, options.seed);
    for (const density of densitiesOf(name)) {
      cases.push(...(await casesAt(trajectory, density, options, note)));
    }
    if (chains.length === 0) chains.push(...chainsOf(trajectory, options, note));
  }
  return { bench: 'wire', seed: options.seed, machine, cases, chains, targets: wireTargets(cases, chains) };
}

function densitiesOf(name: TrajectoryName): readonly number[] {
  return name === 'lenet5'
    ? [LENET5_FEW_DENSITY, ...DENSITIES].sort((left, right) => left - right)
    : DENSITIES;
}

async function casesAt(
  trajectory: Trajectory,
  density: number,
  { rivals, rivalTimeoutMs, budgetMs }: WireOptions,
  note: Note,
): Promise<WireCase[]> {
  const { name } = trajectory;
  const cases: WireCase[] = [];
  let exactRivals: Rivals | null = null;
  for (const format of VALUE_FORMATS) {
    note(`${name} at ${formatDensity(density)}: ${format}`);
    const publication = lastPublication(trajectory, density, format);
    const measurements = measureCase(publication, budgetMs);
    const isAsked = rivals === 'all' || (rivals === 'f32' && format === 'f32');
    if (isAsked) note(`${name} at ${formatDensity(density)}: ${format}, rivals`);
    const own = isAsked ? await runRivals(publication, { timeoutMs: rivalTimeoutMs, budgetMs }) : null;
    if (format === 'f32') exactRivals = own;
    const shown = own ?? exactRivals;
    const rivalsOf = own !== null ? format : shown !== null ? 'f32' : null;
    cases.push({ model: name, density, format, ...measurements, rivals: shown, rivalsOf });
  }
  return cases;
}

function chainsOf(trajectory: Trajectory, { chainLength, seed }: WireOptions, note: Note): ChainResult[] {
  if (chainLength === 0 || trajectory.model.elementCount > CHAIN_ELEMENTS_MAX) return [];
  return VALUE_FORMATS.map((format) => {
    note(`${trajectory.name}: ${chainLength} deltas in a row, ${format}`);
    return runChain(trajectory, { format, deltaCount: chainLength, seed });
  });
}
