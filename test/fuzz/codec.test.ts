/**
 * Any bytes either decode or raise one of the declared errors, and the decoder works afterwards. Inputs are valid
 * frames that were mutated, cut or spliced, because random bytes rarely get past the first check.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { type Codec, downstreamCodec, upstreamCodec } from '@freshet/protocol/codec';
import { FreshetError } from '@freshet/protocol/errors';
import fc from 'fast-check';
import { damage } from '../support/damage.ts';
import { downstreamMessage, upstreamMessage } from '../support/messages.ts';
import '../support/seed.ts';

const TIME_LIMIT_MS = 1000;

function fuzzCodec<Message>(codec: Codec<Message>, message: fc.Arbitrary<Message>): void {
  fc.assert(
    fc.property(message, message, damage, (first, second, apply) => {
      const valid = codec.encode(first);
      const hostile = apply(valid, codec.encode(second));
      onlyDeclared(() => codec.decode(hostile), ['FRAME_MALFORMED', 'FRAME_TOO_LARGE']);
      assert.deepEqual(codec.encode(codec.decode(valid)), valid);
    }),
    { numRuns: 1_000_000, interruptAfterTimeLimit: TIME_LIMIT_MS },
  );
}

function onlyDeclared(decode: () => unknown, codes: readonly string[]): void {
  try {
    decode();
  } catch (error) {
    assert(error instanceof FreshetError && codes.includes(error.code), `undeclared: ${String(error)}`);
  }
}

describe('fuzz', () => {
  it('upstream frames', () => fuzzCodec(upstreamCodec, upstreamMessage));
  it('downstream frames', () => fuzzCodec(downstreamCodec, downstreamMessage));

  it('refuses what MessagePack can hold and the protocol does not use', () => {
    const hostile = {
      map: '80',
      float: 'cb3ff0000000000000',
      negative: 'ff',
      'regular expression extension': 'c70278' + '2f61',
      'record extension': 'd4720a',
      'array of four billion': 'ddffffffff',
      'byte string of four billion': 'c6ffffffff',
      'arrays a thousand deep': `${'91'.repeat(1000)}c0`,
      'two values': '9101 9101',
      nothing: '',
    };
    for (const [what, bytes] of Object.entries(hostile)) {
      assert.throws(
        () => upstreamCodec.decode(Buffer.from(bytes.replaceAll(' ', ''), 'hex')),
        (error) => error instanceof FreshetError && error.code === 'FRAME_MALFORMED',
        what,
      );
    }
  });
});
