/**
 * The device's numbers for Prometheus: `freshet_agent_*` in base units (seconds, bytes) beside the usual process and
 * Node.js metrics. One registry per agent, so that several can live in one process.
 */
import { Hono } from 'hono';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface AgentMetrics {
  readonly registry: Registry;
  readonly servedVersion: Gauge;
  readonly headVersion: Gauge;
  /** 1 or 0 */
  readonly connected: Gauge;
  /** By HTTP status. */
  readonly inferenceRequests: Counter<'code'>;
  readonly inferenceDuration: Histogram;
  readonly patchDuration: Histogram;
  readonly receivedBytes: Counter;
  readonly fullModelEquivalentBytes: Counter;
  /** By how they came: live, catch-up or snapshot. */
  readonly versionsApplied: Counter<'way'>;
  /** By error code. */
  readonly deltaRefused: Counter<'code'>;
  readonly rollbacks: Counter;
  readonly feedbackWaiting: Gauge;
  readonly feedbackWaitingBytes: Gauge;
  readonly feedbackQueued: Counter;
  /** Samples that the hub has answered, by outcome: taken, duplicate or refused. */
  readonly feedbackAnswered: Counter<'outcome'>;
  readonly feedbackDeferred: Counter;
}

/** From half a millisecond (a small model at batch 1) to what no device should take. */
const DURATION_BUCKETS_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

export function createAgentMetrics(): AgentMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string) => new Gauge({ name: `freshet_agent_${name}`, help, registers });
  const counter = (name: string, help: string) =>
    new Counter({ name: `freshet_agent_${name}`, help, registers });
  const counterByCode = (name: string, help: string) =>
    new Counter({ name: `freshet_agent_${name}`, help, registers, labelNames: ['code'] });
  const durationOf = (name: string, help: string) =>
    new Histogram({ name: `freshet_agent_${name}`, help, registers, buckets: DURATION_BUCKETS_SECONDS });
  return {
    registry,
    servedVersion: gauge('served_version', 'Weights version that answers requests; 0 before the first.'),
    headVersion: gauge('head_version', 'Newest weights version that is stored; 0 before the first.'),
    connected: gauge('connected', 'Whether the connection to the hub is up.'),
    inferenceRequests: counterByCode('inference_requests_total', 'Inference requests, by HTTP status.'),
    inferenceDuration: durationOf('inference_duration_seconds', 'Time to answer an inference request.'),
    patchDuration: durationOf('patch_duration_seconds', 'From a stored version to its being served.'),
    receivedBytes: counter('received_bytes_total', 'Bytes received from the hub.'),
    fullModelEquivalentBytes: counter(
      'full_model_equivalent_bytes_total',
      'Bytes that the full model at each version would have been.',
    ),
    versionsApplied: new Counter({
      name: 'freshet_agent_versions_applied_total',
      help: 'Weights versions stored, by how they came: live, catch-up or snapshot.',
      registers,
      labelNames: ['way'],
    }),
    deltaRefused: counterByCode('delta_refused_total', 'Deltas refused, by error code.'),
    rollbacks: counter('rollbacks_total', 'Roll-backs carried out.'),
    feedbackWaiting: gauge('feedback_waiting_samples', 'Labelled samples that wait to be sent to the hub.'),
    feedbackWaitingBytes: gauge('feedback_waiting_bytes', 'Bytes that they take in the store.'),
    feedbackQueued: counter('feedback_queued_samples_total', 'Labelled samples that were queued.'),
    feedbackAnswered: new Counter({
      name: 'freshet_agent_feedback_answered_samples_total',
      help: 'Labelled samples that the hub has answered, by outcome: taken, duplicate or refused.',
      registers,
      labelNames: ['outcome'],
    }),
    feedbackDeferred: counter(
      'feedback_deferred_batches_total',
      'Batches of samples that the hub had no room for: they are sent again.',
    ),
  };
}

/** GET /metrics */
export function metricsApp({ registry }: AgentMetrics): Hono {
  const app = new Hono();
  app.get('/metrics', async (context) =>
    context.body(await registry.metrics(), 200, { 'Content-Type': registry.contentType }),
  );
  return app;
}
