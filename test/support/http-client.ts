/** An HTTP client that keeps its connections. */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Cleanup } from './serving.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export class HttpClient {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(cleanup: Cleanup, url: string) {
    this.#url = url;
    cleanup.after(() => this.#agent.destroy());
  }

  get(path: string): Promise<HttpAnswer> {
    return this.send('GET', path);
  }

  /** Sends `body` as it is when it is text, else as JSON. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return this.send('POST', path, typeof body === 'string' ? body : JSON.stringify(body), headers);
  }

  async send(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const call = request(this.#url + path, { method, agent: this.#agent, headers }, resolve);
    call.on('error', reject);
    call.end(body);
    const response = await promise;
    let text = '';
    response.setEncoding('utf8');
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  }
}
