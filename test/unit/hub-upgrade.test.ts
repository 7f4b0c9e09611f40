/** Requests that are not to become a session: what they get, and that none of their sockets is left over. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { SUBPROTOCOL, SYNC_PATH } from '@freshet/protocol/version';
import WebSocket from 'ws';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';

let harness: HubHarness;

beforeEach(() => {
  harness = new HubHarness(handMadeModel(50), seed);
});

afterEach(() => harness.remove());

describe('an upgrade that is refused', () => {
  /** Asks for an upgrade and never ends its own side; the server's socket and what arrives. */
  async function refused(path: string) {
    const upgraded = once(harness.server, 'upgrade');
    const socket = connectTcp({ port: harness.port, host: '127.0.0.1', allowHalfOpen: true });
    // The hub may cut it off in the middle.
    socket.on('error', () => socket.destroy());
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    // Reading a socket to its end as a stream would close it.
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    const ended = once(socket, 'end');
    const [, serverSocket] = (await upgraded) as [unknown, Socket];
    if (!serverSocket.destroyed) await once(serverSocket, 'close');
    await ended;
    return { answer, socket };
  }

  test('at another path or without our subprotocol', async () => {
    await harness.start();
    const refusal = async (url: string, subprotocol: string) => {
      const socket = new WebSocket(`ws://127.0.0.1:${harness.port}${url}`, subprotocol);
      return new Promise<string>((resolve) => socket.once('error', ({ message }) => resolve(message)));
    };
    assert.match(await refusal('/elsewhere', SUBPROTOCOL), /404/);
    assert.match(await refusal(SYNC_PATH, 'mqtt'), /400/);
  });

  test('leaves no socket half open, though the peer keeps its side', async () => {
    await harness.start({ firstVersion: false });
    const elsewhere = await refused('/elsewhere');
    assert.match(elsewhere.answer, /^HTTP\/1.1 404 .*agents connect at/s);
    const early = await refused(SYNC_PATH);
    assert.match(early.answer, /^HTTP\/1.1 503 .*no version yet/s);
    harness.learner.start(harness.log);
    const keyless = await refused(SYNC_PATH);
    assert.match(keyless.answer, /^HTTP\/1.1 400 /);
    // Without a connection left over, or this would wait for ever.
    await harness.stop();
    for (const { socket } of [elsewhere, early, keyless]) socket.destroy();
  });

  test('does not hold up a stop while its answer is not read', async () => {
    await harness.start();
    // An answer that no kernel buffer takes whole.
    const upgraded = once(harness.server, 'upgrade');
    harness.server.prependListener('upgrade', (_request, socket: Socket) => {
      socket.write(Buffer.alloc(64 * 1024 * 1024));
    });
    const socket = connectTcp(harness.port, '127.0.0.1').pause();
    // The hub may cut it off in the middle.
    socket.on('error', () => socket.destroy());
    socket.write('GET / HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const [, serverSocket] = (await upgraded) as [unknown, Socket];
    assert.ok(!serverSocket.destroyed && serverSocket.writableLength > 0);
    await harness.stop();
    assert.ok(serverSocket.destroyed);
    socket.destroy();
  });
});
