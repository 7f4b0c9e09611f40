/** Who a trainer publishes as, over real key files and a real log: what it records, and when it will not start. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { isSignedBy } from '@freshet/protocol/signature';
import { rotationStatement } from '@freshet/protocol/statements';
import { VersionLog } from '../../trainer/history/version-log.ts';
import { UNSIGNED } from '../../trainer/hub/signer.ts';
import { createKeyFile } from '../../trainer/service/key-file.ts';
import { type PublisherOptions, readPublisherIdentity, signerOf } from '../../trainer/service/publisher.ts';
import { freshetError } from '../support/serving.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function setUp(test: TestContext) {
  const directory = temporaryDirectory(test);
  const file = (name: string): string => join(directory, `${name}.pem`);
  const make = (name: string) => createKeyFile(file(name)).publicKey;
  const keys = { a: make('a'), b: make('b'), c: make('c') };
  /** As a trainer that is started with `options` and ended: what it would sign with, and what the log then says. */
  const start = (options: PublisherOptions) => {
    const log = VersionLog.open(join(directory, 'versions.db'), { clock: () => 0, lockWaitMs: 0 });
    try {
      return { signer: signerOf(log, readPublisherIdentity(options)), lineId: log.lineId };
    } finally {
      log.close();
    }
  };
  const recorded = () => {
    const log = VersionLog.open(join(directory, 'versions.db'), { clock: () => 0, lockWaitMs: 0 });
    const chain = log.publisherKeys.all();
    log.close();
    return chain.map(({ publicKey }) => publicKey);
  };
  return { a: file('a'), b: file('b'), c: file('c'), keys, start, recorded };
}

describe('a line', () => {
  it('without a key is unsigned, and stays so', (test) => {
    const { start, recorded } = setUp(test);
    assert.equal(start({}).signer, UNSIGNED);
    assert.equal(start({ unsigned: true }).signer, UNSIGNED);
    assert.deepEqual(recorded(), []);
  });

  it('remembers its key', (test) => {
    const { a, keys, start, recorded } = setUp(test);
    for (const _again of [1, 2]) {
      const { signer } = start({ signingKey: a });
      assert.equal(signer.publicKey, keys.a);
      assert.deepEqual(signer.rotations, []);
    }
    assert.deepEqual(recorded(), [keys.a]);
  });

  it('passes from key to key, each introduced by the one before', (test) => {
    const { a, b, c, keys, start, recorded } = setUp(test);
    start({ signingKey: a });
    start({ signingKey: b, previousKey: a });
    // The same command line again, as a service manager would.
    start({ signingKey: b, previousKey: a });
    const { signer, lineId } = start({ signingKey: c, previousKey: b });
    assert.deepEqual(recorded(), [keys.a, keys.b, keys.c]);
    assert.equal(signer.publicKey, keys.c);
    const [toB, toC] = signer.rotations;
    assert.ok(toB !== undefined && toC !== undefined && signer.rotations.length === 2);
    const log = recorded();
    assert.ok(isSignedBy(log[0]!, rotationStatement(lineId, 1, log[1]!), toB.signature));
    assert.ok(isSignedBy(log[1]!, rotationStatement(lineId, 2, log[2]!), toC.signature));
  });

  it('that is new starts with the key that agents have from elsewhere', (test) => {
    const { a, b, keys, start, recorded } = setUp(test);
    const { signer, lineId } = start({ signingKey: b, previousKey: a });
    assert.deepEqual(recorded(), [keys.a, keys.b]);
    const [toB] = signer.rotations;
    assert.ok(
      toB !== undefined &&
        isSignedBy(recorded()[0]!, rotationStatement(lineId, 1, toB.publicKey), toB.signature),
    );
  });
});

describe('a trainer does not start, and changes nothing,', () => {
  const refusals: Record<
    string,
    { with: (files: { a: string; b: string; c: string }) => PublisherOptions; says: RegExp }
  > = {
    'without the key of the line': {
      with: () => ({}),
      says: /this line is signed with key [0-9a-f]{12}…: give its file with --signing-key; with --unsigned all agents/,
    },
    'with another key': {
      with: ({ c }) => ({ signingKey: c }),
      says: /and --signing-key is .*: to change the key give the old one with --previous-key/,
    },
    'with another key, introduced by one that is not the newest': {
      with: ({ a, c }) => ({ signingKey: c, previousKey: a }),
      says: /and --previous-key is .*: only the former can introduce a new key/,
    },
    'with a key that was replaced': {
      with: ({ a }) => ({ signingKey: a }),
      says: /which this line has given up for/,
    },
    'with a key and without': {
      with: ({ b }) => ({ signingKey: b, unsigned: true }),
      says: /give either --signing-key or --unsigned, not both/,
    },
    'with only the previous key': {
      with: ({ a }) => ({ previousKey: a }),
      says: /--previous-key introduces a new key: give that with --signing-key/,
    },
  };
  for (const [name, { with: optionsOf, says }] of Object.entries(refusals)) {
    it(name, (test) => {
      const { a, b, c, keys, start, recorded } = setUp(test);
      start({ signingKey: a });
      start({ signingKey: b, previousKey: a });
      assert.throws(() => start(optionsOf({ a, b, c })), freshetError('CONFIG_INVALID', says));
      assert.deepEqual(recorded(), [keys.a, keys.b]);
    });
  }

  it('unless it is told to publish unsigned; the key is not forgotten', (test) => {
    const { a, keys, start, recorded } = setUp(test);
    start({ signingKey: a });
    assert.equal(start({ unsigned: true }).signer, UNSIGNED);
    assert.deepEqual(recorded(), [keys.a]);
    assert.throws(() => start({}), freshetError('CONFIG_INVALID', 'give its file with --signing-key'));
  });
});
