/**
 * Commands talking to the process of a runtime file over its HTTP port.
 */
import { FreshetError, isErrorCode } from '../errors.ts';
import type { RuntimeRecord } from './runtime-file.ts';

const TIMEOUT_MS = 60_000;

export class HttpClient {
  readonly #record: RuntimeRecord;

  constructor(record: RuntimeRecord) {
    this.#record = record;
  }

  /**
   * The JSON that the process answers with.
   * @throws UNREACHABLE when nobody answers or somebody else does; what the process refuses with (`{error, code}`)
   */
  async call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const response = await this.fetch(method, path, body);
    if (response.ok) return response.json();
    const answer: unknown = await response.json().catch(() => null);
    const { code, error } = (answer ?? {}) as { code?: unknown; error?: unknown };
    if (typeof code === 'string' && isErrorCode(code)) throw new FreshetError(code, String(error));
    const { url } = this.#record;
    throw new FreshetError('UNREACHABLE', `what answers at ${url} (status ${response.status}) is not ours`);
  }

  /** Any answer, as it comes. @throws UNREACHABLE */
  async fetch(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Response> {
    const { url, adminToken } = this.#record;
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    const init: RequestInit = { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) };
    if (body !== undefined) init.body = JSON.stringify(body);
    try {
      return await fetch(url + path, init);
    } catch (cause) {
      throw new FreshetError('UNREACHABLE', `nobody answers at ${url}: the process has ended, or hangs`, {
        cause,
      });
    }
  }
}
