/**
 * The hub's numbers for Prometheus: `freshet_hub_*` and `freshet_learner_*` in base units, beside the usual process
 * and Node.js metrics. Most are read from the hub when they are scraped; the learner's are told as they change.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { totalSavings } from '../core/savings.ts';
import type { VersionLog } from '../history/version-log.ts';
import { isProven } from '../hub/agent-roster.ts';
import type { Hub } from '../hub/hub.ts';
import type { MetricReading } from '../learn/metrics/metric-reading.ts';

export interface LearnerNumbers {
  readonly step: number;
  readonly samplesSeen: number;
  readonly prequentialAccuracy: number | null;
  readonly metric: MetricReading;
}

export interface TrainerMetrics {
  readonly contentType: string;
  /** The text of a scrape. */
  scrape(): Promise<string>;
  /** Takes in how far the learner is. */
  learnerAt(numbers: LearnerNumbers): void;
}

/** One registry per call, so that several trainers can live in one process. */
export function createTrainerMetrics(hub: Hub, log: VersionLog): TrainerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  addHubGauges(registry, hub, log);
  addHubCounters(registry, hub);
  addFeedbackCounters(registry, hub);
  const learnerAt = addLearnerGauges(registry);
  return { contentType: registry.contentType, scrape: () => registry.metrics(), learnerAt };
}

function addHubGauges(registry: Registry, hub: Hub, log: VersionLog): void {
  const registers = [registry];
  new Gauge({
    name: 'freshet_hub_head_version',
    help: 'Newest weights version in the log; 0 before the first.',
    registers,
    collect() {
      this.set(log.head()?.version ?? 0);
    },
  });
  new Gauge({
    name: 'freshet_hub_connected_agents',
    help: 'Agents with a live session.',
    registers,
    collect() {
      this.set(hub.agents().filter(({ connected }) => connected).length);
    },
  });
  new Gauge({
    name: 'freshet_hub_agent_lag_versions',
    help: "Versions between an agent's head and the hub's, of agents that have ever confirmed a version.",
    labelNames: ['agent'],
    registers,
    collect() {
      this.reset();
      for (const agent of hub.agents()) {
        // A name that anybody could have made up makes no series.
        if (agent.lagVersions !== null && isProven(agent))
          this.set({ agent: agent.agentId }, agent.lagVersions);
      }
    },
  });
}

/** Counters live in the hub and in its database; each scrape copies their values. */
function addHubCounters(registry: Registry, hub: Hub): void {
  const registers = [registry];
  new Counter({
    name: 'freshet_hub_publishes_total',
    help: 'Versions published since the hub started.',
    registers,
    collect() {
      this.reset();
      this.inc(hub.counts().publishes);
    },
  });
  new Counter({
    name: 'freshet_hub_sent_bytes_total',
    help: 'Bytes sent to agents since the hub started, WebSocket headers included.',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset();
      for (const [kind, bytes] of Object.entries(hub.counts().sentBytes)) this.inc({ kind }, bytes);
    },
  });
  new Counter({
    name: 'freshet_hub_nacks_total',
    help: 'Transfers that agents refused since the hub started, by error code.',
    labelNames: ['code'],
    registers,
    collect() {
      this.reset();
      for (const [code, count] of Object.entries(hub.counts().nacks)) this.inc({ code }, count);
    },
  });
  new Counter({
    name: 'freshet_hub_full_model_equivalent_bytes_total',
    help: 'Bytes that the complete model at each delivery would have been, over the life of the log.',
    registers,
    collect() {
      this.reset();
      this.inc(totalSavings(hub.agents()).fullModelEquivalentBytes);
    },
  });
}

function addFeedbackCounters(registry: Registry, hub: Hub): void {
  const registers = [registry];
  new Counter({
    name: 'freshet_hub_feedback_samples_total',
    help: 'Samples that agents have sent since the hub started, by outcome: taken, duplicate or refused.',
    labelNames: ['outcome'],
    registers,
    collect() {
      const { taken, duplicates, refused } = hub.counts().feedback;
      this.reset();
      this.inc({ outcome: 'taken' }, taken);
      this.inc({ outcome: 'duplicate' }, duplicates);
      this.inc({ outcome: 'refused' }, refused);
    },
  });
  new Counter({
    name: 'freshet_hub_feedback_deferred_batches_total',
    help: 'Batches of samples for which there was no room since the hub started.',
    registers,
    collect() {
      this.reset();
      this.inc(hub.counts().feedback.deferredBatches);
    },
  });
}

function addLearnerGauges(registry: Registry): (numbers: LearnerNumbers) => void {
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `freshet_learner_${name}`, help, registers: [registry] });
  const step = gauge('step', 'Optimiser steps so far.');
  const samplesSeen = gauge('samples_seen', 'Samples taken from the stream so far.');
  const accuracy = gauge(
    'prequential_accuracy_ratio',
    'Share of stream samples that were predicted right before they were trained on; NaN for another metric.',
  );
  const metric = new Gauge({
    name: 'freshet_learner_prequential_metric',
    help: "The recipe's metric, by its name, of stream samples before they were trained on.",
    labelNames: ['metric'],
    registers: [registry],
  });
  return (numbers) => {
    metric.set({ metric: numbers.metric.name }, numbers.metric.cumulative ?? Number.NaN);
    step.set(numbers.step);
    samplesSeen.set(numbers.samplesSeen);
    accuracy.set(numbers.prequentialAccuracy ?? Number.NaN);
  };
}
