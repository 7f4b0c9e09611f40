/** Commands asking the process of a runtime file: nobody there, somebody else, and what a refusal looks like. */
import { strict as assert } from 'node:assert';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import type { FreshetError } from '@freshet/protocol/errors';
import { HttpClient } from '@freshet/protocol/local/http-client';
import { startHttpServer, startingUp } from '@freshet/protocol/local/http-server';
import { Hono } from 'hono';
import { freshetError, startServer } from '../support/serving.ts';

const client = (url: string): HttpClient => new HttpClient({ pid: 1, url, adminToken: 'token' });

describe('asking a process', () => {
  it('sends the token and gives back the answer', async (test) => {
    const app = new Hono().post('/echo', async (context) =>
      context.json({ body: await context.req.json(), token: context.req.header('authorization') }),
    );
    const { url } = await startServer(test, app);
    const answer = await client(url).call('POST', '/echo', { version: 3 });
    assert.deepEqual(answer, { body: { version: 3 }, token: 'Bearer token' });
  });

  it('passes on what it refuses with', async (test) => {
    const app = new Hono().get('/', (context) =>
      context.json({ error: 'version 3 is not there', code: 'VERSION_UNKNOWN' }, 404),
    );
    const { url } = await startServer(test, app);
    await assert.rejects(
      client(url).call('GET', '/'),
      freshetError('VERSION_UNKNOWN', 'version 3 is not there'),
    );
  });

  it('hands on all that the refusal says, and when to come again', async (test) => {
    const busy = { error: 'too much waits', code: 'NOT_READY', waiting: 7 };
    const app = new Hono()
      .get('/seconds', (context) => context.json(busy, 429, { 'Retry-After': '3' }))
      .get('/date', (context) => context.json(busy, 503, { 'Retry-After': 'Wed, 21 Oct 2026 07:28:00 GMT' }));
    const { url } = await startServer(test, app);
    const detailsOf = (path: string) =>
      client(url)
        .call('GET', path)
        .then(
          () => assert.fail('it was refused'),
          (error: FreshetError) => error.details,
        );
    assert.deepEqual(await detailsOf('/seconds'), { status: 429, answer: busy, retryAfterSeconds: 3 });
    assert.deepEqual(await detailsOf('/date'), { status: 503, answer: busy });
  });

  it('nobody is there', async (test) => {
    const server = await startServer(test, new Hono());
    await server.close();
    const says = /nobody answers at http:\S+: the process has ended or hangs; start it again/;
    await assert.rejects(client(server.url).call('GET', '/'), freshetError('UNREACHABLE', says));
  });

  it('somebody else is there', async (test) => {
    const app = new Hono()
      .get('/token', (context) => context.json({ error: 'wrong token', code: 'CONFIG_INVALID' }, 401))
      .get('/text', (context) => context.text('welcome'))
      .get('/code', (context) => context.json({ error: 'no', code: 'OF_ANOTHER_PROGRAM' }, 400));
    const { url } = await startServer(test, app);
    const says = /is another process's by now: the one asked for has ended; start it again/;
    for (const path of ['/token', '/text', '/code', '/missing']) {
      await assert.rejects(client(url).call('GET', path), freshetError('UNREACHABLE', says), path);
    }
  });

  it('somebody is there who does not speak HTTP', async (test) => {
    const server = createServer((socket) => socket.resume().end('220 mail.example.org ESMTP\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    test.after(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    assert(address !== null && typeof address === 'object');
    const says = /nobody answers at/;
    await assert.rejects(
      client(`http://127.0.0.1:${address.port}`).call('GET', '/'),
      freshetError('UNREACHABLE', says),
    );
  });

  it('it has its port but is not ready yet', async (test) => {
    const server = await startHttpServer({
      fetch: startingUp,
      host: '127.0.0.1',
      port: 0,
      hostFlag: '--host',
      portFlag: '--port',
      closeGraceMs: 1000,
    });
    test.after(() => server.close());
    await assert.rejects(
      client(server.url).call('GET', '/'),
      freshetError('NOT_READY', 'starting up; try again soon'),
    );
  });
});
