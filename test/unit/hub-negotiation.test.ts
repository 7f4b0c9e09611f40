/**
 * Agents of other protocol versions, whose `hello` this hub cannot read or can read only in part: those that share no
 * version with it are told which side to upgrade, and not to come back at once; the others are served.
 */
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, it } from 'node:test';
import { upstreamCodec } from '@freshet/protocol/codec';
import { ERROR_TRAITS } from '@freshet/protocol/errors';
import { PROTOCOL_VERSION } from '@freshet/protocol/version';
import { Packr, Unpackr } from 'msgpackr';
import { HubHarness } from '../support/hub-harness.ts';
import { handMadeModel } from '../support/hub-model.ts';
import { seed } from '../support/seed.ts';
import { helloOf, WireClient } from '../support/wire-client.ts';

/** Fields of `hello`, its number included, up to `pinned`: all that version 1 had. */
const FIELDS_OF_VERSION_1 = 10;

let harness: HubHarness;

beforeEach(async () => {
  harness = new HubHarness(handMadeModel(500), seed);
  await harness.start();
});

afterEach(() => harness.remove());

/** Our hello with nothing absent, with other protocol versions, cut to `fieldCount` and followed by `more`. */
function helloFrame(min: number, max: number, fieldCount?: number, ...more: unknown[]): Uint8Array {
  const options = { useRecords: false };
  const [number, , , ...rest] = new Unpackr(options).unpack(
    upstreamCodec.encode(helloOf('edge-1', { feedback: true })),
  ) as unknown[];
  return new Packr(options).pack([...[number, min, max, ...rest].slice(0, fieldCount), ...more]);
}

async function refusalOf(frame: Uint8Array) {
  const client = await WireClient.connect(harness.port);
  client.socket.send(frame);
  const { code: closeCode } = await client.closed();
  const error = client.received.at(-1);
  assert(error?.type === 'error');
  return { closeCode, code: error.code, reason: error.reason };
}

it('an agent of version 1 is told to be upgraded', async () => {
  const { closeCode, code, reason } = await refusalOf(helloFrame(1, 1, FIELDS_OF_VERSION_1));
  assert.equal(code, 'PROTOCOL_UNSUPPORTED');
  assert.equal(closeCode, ERROR_TRAITS.PROTOCOL_UNSUPPORTED.closeCode);
  assert.match(reason, /upgrade the agent/);
});

it('an agent that has given up our version is told that the hub has to be upgraded', async () => {
  const next = PROTOCOL_VERSION + 1;
  const { code, reason } = await refusalOf(helloFrame(next, next, undefined, ['something new']));
  assert.equal(code, 'PROTOCOL_UNSUPPORTED');
  assert.match(reason, /upgrade the hub/);
});

it('an agent that speaks our version and a later one is served, whatever it says besides', async () => {
  const client = await WireClient.connect(harness.port);
  client.socket.send(helloFrame(PROTOCOL_VERSION, PROTOCOL_VERSION + 1, undefined, ['something new'], true));
  assert.equal((await client.next('welcome')).protocol, PROTOCOL_VERSION);
  await client.close();
});

it('a hello of our version that says too little is malformed', async () => {
  const { code } = await refusalOf(helloFrame(PROTOCOL_VERSION, PROTOCOL_VERSION, FIELDS_OF_VERSION_1));
  assert.equal(code, 'FRAME_MALFORMED');
});
