/** The device's metrics as Prometheus reads them. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { createAgentMetrics, metricsApp } from '../../edge-agent/serve/metrics.ts';
import { HttpClient } from '../support/http-client.ts';
import { startServer } from '../support/serving.ts';

it('metrics are scraped over HTTP, each agent for itself', async (test) => {
  const metrics = createAgentMetrics();
  createAgentMetrics().servedVersion.set(99);
  const server = await startServer(test, metricsApp(metrics));
  metrics.servedVersion.set(41);
  metrics.headVersion.set(42);
  metrics.connected.set(1);
  metrics.inferenceRequests.inc({ code: '200' });
  metrics.inferenceDuration.observe(0.003);
  metrics.patchDuration.observe(0.002);
  metrics.receivedBytes.inc(1234);
  metrics.fullModelEquivalentBytes.inc(250_000);
  metrics.versionsApplied.inc({ way: 'live' });
  metrics.deltaRefused.inc({ code: 'ROOT_MISMATCH' });
  metrics.rollbacks.inc();
  metrics.feedbackWaiting.set(7);
  metrics.feedbackQueued.inc(20);
  metrics.feedbackAnswered.inc({ outcome: 'taken' }, 12);
  metrics.feedbackAnswered.inc({ outcome: 'refused' }, 1);
  const { status, headers, text } = await new HttpClient(test, server.url).get('/metrics');
  assert.deepEqual([status, headers['content-type']], [200, 'text/plain; version=0.0.4; charset=utf-8']);
  const lines = new Set(text.split('\n'));
  for (const line of [
    '# TYPE freshet_agent_received_bytes_total counter',
    'freshet_agent_served_version 41',
    'freshet_agent_head_version 42',
    'freshet_agent_connected 1',
    'freshet_agent_inference_requests_total{code="200"} 1',
    'freshet_agent_inference_duration_seconds_bucket{le="0.0025"} 0',
    'freshet_agent_inference_duration_seconds_bucket{le="0.005"} 1',
    'freshet_agent_patch_duration_seconds_sum 0.002',
    'freshet_agent_received_bytes_total 1234',
    'freshet_agent_full_model_equivalent_bytes_total 250000',
    'freshet_agent_versions_applied_total{way="live"} 1',
    'freshet_agent_delta_refused_total{code="ROOT_MISMATCH"} 1',
    'freshet_agent_rollbacks_total 1',
    'freshet_agent_feedback_waiting_samples 7',
    'freshet_agent_feedback_queued_samples_total 20',
    'freshet_agent_feedback_answered_samples_total{outcome="taken"} 12',
    'freshet_agent_feedback_answered_samples_total{outcome="refused"} 1',
    'freshet_agent_feedback_deferred_batches_total 0',
    '# TYPE process_resident_memory_bytes gauge',
  ]) {
    assert.ok(lines.has(line), `${line}\nis missing from\n${text}`);
  }
});
