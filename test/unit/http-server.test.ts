/** Starting and stopping the HTTP server: addresses that cannot be had, and answers under way when it closes. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { Hono } from 'hono';
import { HttpClient } from '../support/http-client.ts';
import { freshetError, startServer } from '../support/serving.ts';

const hello = new Hono().get('/', (context) => context.text('hello'));

describe('HTTP server', () => {
  it('says which flag to change when the port is taken, and which when the host is not ours', async (test) => {
    const server = await startServer(test, hello);
    await assert.rejects(
      startServer(test, hello, { port: server.port }),
      freshetError(
        'ADDRESS_IN_USE',
        `port ${server.port} on 127.0.0.1 is in use; choose another with --http-port`,
      ),
    );
    // 192.0.2.0/24 is reserved for documentation: no machine has it.
    await assert.rejects(
      startServer(test, hello, { host: '192.0.2.1' }),
      freshetError('CONFIG_INVALID', /cannot listen on 192\.0\.2\.1 .*change --host or --http-port/),
    );
    await server.close();
    await startServer(test, hello, { port: server.port });
  });

  it('finishes what is under way, ends idle connections and takes no new ones', async (test) => {
    const arrived = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const app = new Hono().get('/slow', async (context) => {
      arrived.resolve();
      await release.promise;
      return context.text('late');
    });
    const server = await startServer(test, app, { closeGraceMs: 60_000 });
    const client = new HttpClient(test, server.url);
    const idle = connect(server.port, '127.0.0.1');
    idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const [answer] = await once(idle, 'data');
    assert.match(String(answer), /connection: keep-alive/i);

    const slow = client.get('/slow');
    await arrived.promise;
    const closing = server.close();
    await once(idle, 'end');
    const [error] = await once(connect(server.port, '127.0.0.1'), 'error');
    assert.equal(error.code, 'ECONNREFUSED');

    release.resolve();
    const { text, headers } = await slow;
    assert.deepEqual([text, headers['connection']], ['late', 'close']);
    await closing;
  });

  it('cuts off what takes longer than the grace', async (test) => {
    const arrived = Promise.withResolvers<void>();
    const never = Promise.withResolvers<Response>();
    const app = new Hono().get('/stuck', () => {
      arrived.resolve();
      return never.promise;
    });
    const server = await startServer(test, app, { closeGraceMs: 1 });
    const stuck = new HttpClient(test, server.url).get('/stuck');
    await arrived.promise;
    const [outcome] = await Promise.allSettled([stuck, server.close()]);
    assert.equal(outcome.status, 'rejected');
  });
});
