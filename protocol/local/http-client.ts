/**
 * Commands talking to the process of a runtime file over its HTTP port.
 */
import { FreshetError, isErrorCode } from '../errors.ts';
import type { RuntimeRecord } from './runtime-file.ts';

const TIMEOUT_MS = 60_000;

/** The token is drawn anew at each start, so only another process can find it wrong. */
const UNAUTHORIZED = 401;

export class HttpClient {
  readonly #record: RuntimeRecord;

  constructor(record: RuntimeRecord) {
    this.#record = record;
  }

  /**
   * The JSON that the process answers with.
   * @throws UNREACHABLE when nobody answers or somebody else does; what the process refuses with (`{error, code}`), with
   * the whole `answer`, and `retryAfterSeconds` where it says so, in the details
   */
  async call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const response = await this.fetch(method, path, body);
    const answer: unknown = await response.json().catch(() => null);
    if (response.ok && answer !== null) return answer;
    const { code, error } = (answer ?? {}) as { code?: unknown; error?: unknown };
    const isOurs = response.status !== UNAUTHORIZED && typeof code === 'string' && isErrorCode(code);
    if (isOurs) throw new FreshetError(code, String(error), { details: refusalOf(response, answer) });
    throw new FreshetError(
      'UNREACHABLE',
      `${this.#record.url} is another process's by now: the one asked for has ended; start it again`,
    );
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
      throw new FreshetError(
        'UNREACHABLE',
        `nobody answers at ${url}: the process has ended or hangs; start it again`,
        { cause },
      );
    }
  }
}

function refusalOf(response: Response, answer: unknown): Record<string, unknown> {
  const retryAfter = response.headers.get('retry-after');
  const isSeconds = retryAfter !== null && /^\d{1,6}$/.test(retryAfter);
  return { status: response.status, answer, ...(isSeconds && { retryAfterSeconds: Number(retryAfter) }) };
}
