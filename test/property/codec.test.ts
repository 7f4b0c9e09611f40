/** Every message survives the wire, and every message type is generated. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import { DOWNSTREAM, UPSTREAM } from '@freshet/protocol/messages';
import fc from 'fast-check';
import { downstreamMessage, upstreamMessage } from '../support/messages.ts';
import '../support/seed.ts';

describe('codec', () => {
  it('decode ∘ encode = identity, upstream', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(upstreamMessage, (message) => {
        seen.add(message.type);
        assert.deepEqual(plain(upstreamCodec.decode(upstreamCodec.encode(message))), plain(message));
      }),
      { numRuns: 300 },
    );
    assert.deepEqual([...seen].sort(), Object.keys(UPSTREAM).sort());
  });

  it('decode ∘ encode = identity, downstream', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(downstreamMessage, (message) => {
        seen.add(message.type);
        assert.deepEqual(plain(downstreamCodec.decode(downstreamCodec.encode(message))), plain(message));
      }),
      { numRuns: 300 },
    );
    assert.deepEqual([...seen].sort(), Object.keys(DOWNSTREAM).sort());
  });

  it('encodes into a buffer that holds the frame and nothing else', () => {
    const frame = upstreamCodec.encode({ type: 'commandResult', id: 1, ok: true, outcome: 'done' });
    assert.equal(frame.byteOffset, 0);
    assert.equal(frame.buffer.byteLength, frame.byteLength);
  });
});

/** Byte fields decode as Buffer, which deepEqual tells apart from the Uint8Array of the same bytes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}
