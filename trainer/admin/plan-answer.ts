/** GET /api/v1/plan: the ways from one version to another, and the one that the hub would take. */
import { FreshetError } from '@freshet/protocol/errors';
import type { WeightsVersion } from '@freshet/protocol/ids';
import { cheapestWay } from '../core/catch-up-plan.ts';
import type { VersionLog } from '../history/version-log.ts';
import type { Hub } from '../hub/hub.ts';
import type { WeighedWays } from '../hub/ways/way-planner.ts';

export interface PlanAnswer {
  readonly from: number;
  readonly to: number;
  readonly chosen: 'chain' | 'squash' | 'snapshot';
  /** Stored deltas between the two. */
  readonly deltaCount: number;
  /** WebSocket headers included; null where there is no such way. */
  readonly wireBytes: {
    readonly chain: number | null;
    readonly squash: number | null;
    readonly snapshot: number;
  };
  /** Whether the bytes of the snapshot were estimated from a few of its chunks, so that the choice may differ if it is close. */
  readonly estimated: boolean;
}

/** `to` null: the head. @throws VERSION_UNKNOWN, INPUT_INVALID, NOT_READY, STORE_CORRUPT */
export async function planAnswer(
  hub: Hub,
  log: VersionLog,
  { from, to }: { readonly from: WeightsVersion; readonly to: WeightsVersion | null },
): Promise<PlanAnswer> {
  const target = to ?? log.head()?.version ?? null;
  if (target === null) throw new FreshetError('VERSION_UNKNOWN', 'to: there is no version yet');
  if (from >= target) {
    throw new FreshetError('INPUT_INVALID', `from: version ${from} is not below version ${target}`);
  }
  const ways = await hub.weighCatchUp(from, target);
  if (ways === null) throw unknownOf(log, from, target);
  return { from, to: target, ...describe(from, target, ways) };
}

function describe(
  from: WeightsVersion,
  to: WeightsVersion,
  ways: WeighedWays,
): Omit<PlanAnswer, 'from' | 'to'> {
  const { chain, squash, snapshot } = ways;
  return {
    chosen: cheapestWay(from, ways).kind,
    deltaCount: to - from,
    wireBytes: {
      chain: chain?.wireBytes ?? null,
      squash: squash?.wireBytes ?? null,
      snapshot: snapshot.wireBytes,
    },
    estimated: ways.isSnapshotEstimated,
  };
}

function unknownOf(log: VersionLog, from: WeightsVersion, to: WeightsVersion): FreshetError {
  const [field, version] = log.rootOf(from) === null ? ['from', from] : ['to', to];
  return new FreshetError(
    'VERSION_UNKNOWN',
    `${field}: version ${version} is not in the log; see \`freshet versions\``,
  );
}
