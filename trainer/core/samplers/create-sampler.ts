/** The history samplers by their kinds. */
import { unreachable } from '@freshet/protocol/assert';
import { ClassBalancedSampler } from './class-balanced.ts';
import type { HistorySampler, SamplerState } from './history-sampler.ts';
import { RecentSampler } from './recent.ts';
import { ReservoirSampler } from './reservoir.ts';
import type { SamplerSpec } from './sampler-option.ts';
import { TimeDecayedSampler } from './time-decayed.ts';

/** A sampler of an empty history. */
export function createSampler(spec: SamplerSpec): HistorySampler {
  return restoreSampler(emptyState(spec));
}

function emptyState(spec: SamplerSpec): SamplerState {
  switch (spec.kind) {
    case 'uniform':
      return { ...spec, runs: [] };
    case 'window':
      return { kind: spec.kind, limit: spec.count, runs: [] };
    case 'time-decayed':
      return { ...spec, runs: [] };
    case 'reservoir':
      return { kind: spec.kind, count: spec.count, seen: 0, kept: [] };
    case 'class-balanced':
      return { kind: spec.kind, count: spec.count, classes: [] };
    default:
      return unreachable(spec);
  }
}

/** Goes on from what `state()` gave; `state` is not kept. Whether it is well-formed is for the reader of a checkpoint. */
export function restoreSampler(state: SamplerState): HistorySampler {
  switch (state.kind) {
    case 'uniform':
    case 'window':
      return new RecentSampler(state);
    case 'time-decayed':
      return new TimeDecayedSampler(state);
    case 'reservoir':
      return new ReservoirSampler(state);
    case 'class-balanced':
      return new ClassBalancedSampler(state);
    default:
      return unreachable(state);
  }
}

/** What a sampler of `state` was made of: a checkpoint of another one cannot be gone on from. */
export function samplerSpecOf(state: SamplerState): SamplerSpec {
  switch (state.kind) {
    case 'uniform':
      return { kind: state.kind, limit: state.limit };
    case 'window':
      return { kind: state.kind, count: state.limit };
    case 'time-decayed':
      return { kind: state.kind, halfLife: state.halfLife, limit: state.limit };
    case 'reservoir':
    case 'class-balanced':
      return { kind: state.kind, count: state.count };
    default:
      return unreachable(state);
  }
}
