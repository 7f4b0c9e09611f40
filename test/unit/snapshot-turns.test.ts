/** Encoding a snapshot does not hold up the hub: a turn of its event loop pays for one chunk. */
import { strict as assert } from 'node:assert';
import { it } from 'node:test';
import { downstreamCodec } from '@freshet/protocol/codec';
import { SNAPSHOT_CHUNK_ELEMENTS, snapshotChunkCount } from '@freshet/protocol/snapshot-chunk';
import WebSocket from 'ws';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel, sameBits } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { follow, helloOf, Replica } from '../support/wire-client.ts';

it('one chunk is encoded in a turn of the event loop', async (test) => {
  const model = handMadeModel(5 * SNAPSHOT_CHUNK_ELEMENTS + 100);
  const harness = new HubHarness(model, seed);
  await harness.start();
  test.after(() => harness.remove());

  let turn = 0;
  let ticking: NodeJS.Immediate;
  const tick = () => {
    turn++;
    ticking = setImmediate(tick);
  };
  tick();
  test.after(() => clearImmediate(ticking));
  const turnsOfChunks: number[] = [];
  const original = WebSocket.prototype.send;
  test.mock.method(
    WebSocket.prototype,
    'send',
    function (this: WebSocket, ...sent: Parameters<typeof original>) {
      const [frame] = sent;
      // Agents send no Buffers.
      if (Buffer.isBuffer(frame) && downstreamCodec.decode(frame).type === 'snapshotChunk') {
        turnsOfChunks.push(turn);
      }
      return original.apply(this, sent);
    },
  );

  const replica = new Replica(model);
  const client = await follow(harness.port, helloOf('edge-1'), replica);
  test.after(() => client.socket.terminate());
  await client.until(() => replica.head !== null);
  assert.equal(turnsOfChunks.length, snapshotChunkCount(model.elementCount));
  assert.equal(new Set(turnsOfChunks).size, turnsOfChunks.length);
  assert.ok(sameBits(replica.weights, harness.log.headWeights()));
});
