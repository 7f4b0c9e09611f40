/**
 * Control of a running agent over its HTTP port.
 */
import { FreshetError } from '@freshet/protocol/errors';
import { HttpClient } from '@freshet/protocol/local/http-client';
import type { RuntimeRecord } from '@freshet/protocol/local/runtime-file';
import { FEEDBACK_PATH, type SamplesAnswer } from '@freshet/protocol/local/samples-api';
import type { RollbackTarget } from '../core/rollback-target.ts';
import type { ModelSignature } from '../core/tensor.ts';
import type { FeedbackStatus } from '../store/feedback-table.ts';
import type { VerifyReport } from '../store/verify.ts';
import type { VersionInfo } from '../store/version-table.ts';
import { type AgentControl, type AgentStatus, CONTROL_PATH, type RollbackReport } from './agent-control.ts';

// Both ends are this package at the same version, hence no validation of the answers.
export class RunningAgent implements AgentControl {
  readonly #client: HttpClient;

  constructor(record: RuntimeRecord) {
    this.#client = new HttpClient(record);
  }

  /** Whether the agent of the record answers: a record outlives a killed process, and its port may be another's. */
  async isUp(): Promise<boolean> {
    try {
      await this.status();
      return true;
    } catch (error) {
      if (error instanceof FreshetError && error.code === 'UNREACHABLE') return false;
      throw error;
    }
  }

  async status(): Promise<AgentStatus> {
    return (await this.#client.call('GET', `${CONTROL_PATH}/status`)) as AgentStatus;
  }

  async versions(): Promise<readonly VersionInfo[]> {
    return (await this.#client.call('GET', `${CONTROL_PATH}/versions`)) as VersionInfo[];
  }

  async rollback(target: RollbackTarget): Promise<RollbackReport> {
    return (await this.#client.call('POST', `${CONTROL_PATH}/rollback`, target)) as RollbackReport;
  }

  async verify(): Promise<VerifyReport> {
    return (await this.#client.call('POST', `${CONTROL_PATH}/verify`)) as VerifyReport;
  }

  async feedback(): Promise<FeedbackStatus> {
    return (await this.#client.call('GET', `${CONTROL_PATH}/feedback`)) as FeedbackStatus;
  }

  async addSamples(samples: readonly unknown[]): Promise<SamplesAnswer> {
    return (await this.#client.call('POST', FEEDBACK_PATH, { samples })) as SamplesAnswer;
  }

  async signature(): Promise<ModelSignature> {
    return (await this.#callModel('GET', '')) as ModelSignature;
  }

  async infer(request: unknown): Promise<unknown> {
    return this.#callModel('POST', '/infer', request);
  }

  async close(): Promise<void> {
    // One request per call: nothing is held open.
  }

  /** The inference protocol: its errors carry no code, so the status stands for one. */
  async #callModel(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const { modelId } = await this.status();
    if (modelId === null)
      throw new FreshetError('NOT_READY', 'the agent has no model yet: it has to come from the hub');
    const response = await this.#client.fetch(
      method,
      `/v2/models/${encodeURIComponent(modelId)}${path}`,
      body,
    );
    const answer: unknown = await response.json();
    if (response.ok) return answer;
    const { error } = answer as { error?: unknown };
    throw new FreshetError(response.status === 503 ? 'NOT_READY' : 'INPUT_INVALID', String(error));
  }
}
