/**
 * A device that has pinned its publisher's key, over a real store: whatever else a hub says, nothing is stored, served
 * or carried out that this publisher has not signed for this line, model and device.
 */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { SyncSession } from '@freshet/edge-agent/core/sync-session';
import { WeightStore } from '@freshet/edge-agent/store/weight-store';
import { downstreamCodec } from '@freshet/protocol/codec';
import { FreshetError } from '@freshet/protocol/errors';
import { asLineId, asModelDigest, asSignature, asWeightsVersion } from '@freshet/protocol/ids';
import type { DownstreamMessage, MessageNamed, UpstreamMessage } from '@freshet/protocol/messages';
import { modelMessage } from '@freshet/protocol/model';
import type { SigningKey } from '@freshet/protocol/signature';
import { encodeSnapshotChunk } from '@freshet/protocol/snapshot-chunk';
import {
  AGENT,
  commandOf,
  deltaOf,
  keyOf,
  MODEL,
  pinOf,
  positionAt,
  proofBy,
  rotationBy,
  rotationsOf,
  snapshotBeginOf,
  weightsOf,
  welcomeOf,
} from '../support/publisher-line.ts';
import { freshetError } from '../support/serving.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { LINE } from '../support/tiny-model.ts';

const [a, b, c, stranger] = [1, 2, 3, 9].map(keyOf) as [SigningKey, SigningKey, SigningKey, SigningKey];
const OTHER_LINE = asLineId('fe'.repeat(16));

class Device {
  readonly store: WeightStore;
  readonly sent: UpstreamMessage[] = [];
  readonly refused: string[] = [];
  readonly commands: MessageNamed<DownstreamMessage, 'command'>[] = [];
  #session: SyncSession;

  /** With version `head` in its store, or with nothing in it. */
  constructor(test: TestContext, { pin = a as SigningKey | null, head = 10 as number | null } = {}) {
    this.store = WeightStore.open(join(temporaryDirectory(test), 'weights.db'), { clock: () => 0 });
    test.after(() => this.store.close());
    this.store.publisher.configure(pin?.publicKey ?? null);
    if (head !== null) {
      this.store.adoptModel(LINE, MODEL);
      this.store.commitSnapshot(positionAt(head), weightsOf(head));
    }
    this.#session = this.#open();
  }

  /** The next session: as after a broken connection. */
  reconnect(): this {
    this.#session = this.#open();
    return this;
  }

  receive(message: DownstreamMessage): void {
    this.#session.receive(message);
  }

  /** Greeted by the true publisher. */
  greeted(key: SigningKey = a): this {
    const head = this.store.head()?.version ?? 1;
    this.receive(welcomeOf(head, proofBy(key, positionAt(head))));
    return this;
  }

  get head(): number | undefined {
    return this.store.head()?.version;
  }

  #open(): SyncSession {
    const { store } = this;
    return new SyncSession({
      store,
      publisher: store.publisher,
      agentId: AGENT,
      software: 'test',
      served: () => store.head(),
      send: (message) => this.sent.push(message),
      onWelcome: () => undefined,
      onAdvanced: () => undefined,
      onRefused: (code) => this.refused.push(code),
      onCommand: (command) => this.commands.push(command),
      onSampleFormat: () => undefined,
      onSamplesAnswered: () => undefined,
    });
  }
}

const untrusted = (says: RegExp) => freshetError('PUBLISHER_UNTRUSTED', says);
const invalid = (says: RegExp) => freshetError('SIGNATURE_INVALID', says);

describe('a hub that the pinned key stands behind', () => {
  it('is followed: model, deltas and orders', (test) => {
    const device = new Device(test, { head: null });
    device.receive(welcomeOf(5, proofBy(a, positionAt(5))));
    device.receive(modelMessage(MODEL));
    assert.equal(device.store.identity?.model.digest, MODEL.digest);
    device.receive(snapshotBeginOf(5, proofBy(a, positionAt(5))));
    device.store.commitSnapshot(positionAt(5), weightsOf(5));
    device.receive(deltaOf(5, 6, proofBy(a, positionAt(6))));
    device.receive(deltaOf(6, 9, proofBy(a, positionAt(9))));
    assert.deepEqual(device.store.head(), positionAt(9));
    device.receive(commandOf(pinOf(1, 6), a));
    assert.equal(device.commands.length, 1);
    assert.deepEqual(device.refused, []);
  });

  it('needs to sign nothing where no key is pinned', (test) => {
    const device = new Device(test, { pin: null });
    device.receive(welcomeOf(4, proofBy(null, positionAt(4)), { rotations: rotationsOf(stranger, b) }));
    device.receive(deltaOf(10, 11, proofBy(stranger, positionAt(11))));
    device.receive(snapshotBeginOf(12, proofBy(null, positionAt(12))));
    device.receive(commandOf(pinOf(1, 10), null));
    assert.equal(device.head, 11);
    assert.equal(device.commands.length, 1);
    assert.equal(device.store.publisher.current(), null);
  });
});

describe('a welcome is refused before anything of it is stored', () => {
  const at = positionAt(12);
  const noVoice = /this hub does not speak for publisher key [0-9a-f]{12}…, which this device believes/;
  const cases: Record<string, { welcome: DownstreamMessage; says: RegExp }> = {
    unsigned: {
      welcome: welcomeOf(12, proofBy(null, at)),
      says: /the hub does not sign, and this device believes only publisher key [0-9a-f]{12}…: start the trainer/,
    },
    'signed by another key': { welcome: welcomeOf(12, proofBy(stranger, at)), says: noVoice },
    'signed for another line': {
      welcome: welcomeOf(12, proofBy(a, at, { lineId: OTHER_LINE })),
      says: noVoice,
    },
    'signed for another model': {
      welcome: welcomeOf(12, proofBy(a, at, { modelDigest: asModelDigest('ab'.repeat(32)) })),
      says: noVoice,
    },
    'signed for an older version': {
      welcome: welcomeOf(12, proofBy(a, at, { position: { ...at, version: asWeightsVersion(11) } })),
      says: noVoice,
    },
    'signed for another root': {
      welcome: welcomeOf(12, proofBy(a, at, { position: { ...at, root: positionAt(11).root } })),
      says: noVoice,
    },
    'of another line than was signed': {
      welcome: welcomeOf(12, proofBy(a, at), { lineId: OTHER_LINE }),
      says: noVoice,
    },
    'of another model than was signed': {
      welcome: welcomeOf(12, proofBy(a, at), { modelDigest: asModelDigest('ab'.repeat(32)) }),
      says: noVoice,
    },
  };
  for (const [name, { welcome, says }] of Object.entries(cases)) {
    it(`when ${name}`, (test) => {
      for (const head of [null, 10]) {
        const device = new Device(test, { head });
        assert.throws(() => device.receive(welcome), untrusted(says));
        // What a hub sends after it does not get anywhere either.
        device.receive(modelMessage(MODEL));
        assert.equal(device.store.identity === null, head === null);
        assert.equal(device.head, head ?? undefined);
        assert.deepEqual(device.sent, []);
      }
    });
  }

  it('when it is an old one: the device has been further', (test) => {
    const device = new Device(test);
    const says = /the hub's newest version is 9 and this device holds 10 already/;
    assert.throws(() => device.receive(welcomeOf(9, proofBy(a, positionAt(9)))), untrusted(says));
    // As far as the device is no replay: nothing is taken back.
    device.reconnect().receive(welcomeOf(10, proofBy(a, positionAt(10))));
  });

  it("when both have gone different ways under one publisher's key", (test) => {
    const device = new Device(test);
    const forked = { ...positionAt(10), root: positionAt(11).root };
    const says = /the hub's version 10 has other weights than this device's, both signed/;
    assert.throws(() => device.receive(welcomeOf(10, proofBy(a, forked))), untrusted(says));
  });

  it('when it is of another line of the same publisher, and its rotations are not followed', (test) => {
    const device = new Device(test);
    const proof = proofBy(b, positionAt(12), { lineId: OTHER_LINE });
    const rotations = [rotationBy(a, 1, b, OTHER_LINE)];
    const welcome = welcomeOf(12, proof, { lineId: OTHER_LINE, rotations });
    assert.throws(() => device.receive(welcome), freshetError('LINE_MISMATCH', 'another training run'));
    assert.equal(device.store.publisher.current(), a.publicKey);
  });
});

describe('a delta is refused, nothing has changed, and the true one is taken after it', () => {
  const at = positionAt(11);
  const altered = /version 11 is not signed as it is by publisher key [0-9a-f]{12}…/;
  const cases: Record<string, { proof: ReturnType<typeof proofBy>; says: RegExp }> = {
    unsigned: { proof: proofBy(null, at), says: /version 11 carries no signature/ },
    'signed by another key': { proof: proofBy(stranger, at), says: altered },
    'signed for another line': { proof: proofBy(a, at, { lineId: OTHER_LINE }), says: altered },
    'signed for another model': {
      proof: proofBy(a, at, { modelDigest: asModelDigest('ab'.repeat(32)) }),
      says: altered,
    },
    'an older version under a new number': {
      proof: proofBy(a, at, { position: positionAt(5) }),
      says: altered,
    },
    'signed with a signature of zeros': {
      proof: { root: at.root, signature: asSignature('00'.repeat(64)) },
      says: altered,
    },
  };
  for (const [name, { proof, says }] of Object.entries(cases)) {
    it(`when ${name}`, (test) => {
      const device = new Device(test).greeted();
      device.receive(deltaOf(10, 11, proof));
      const nack = device.sent.at(-1);
      assert.ok(nack?.type === 'nack');
      assert.deepEqual([nack.rejected, nack.head, nack.code], [11, positionAt(10), 'SIGNATURE_INVALID']);
      assert.match(nack.reason, says);
      assert.deepEqual(device.refused, ['SIGNATURE_INVALID']);
      assert.deepEqual(
        device.store.versions().map(({ version }) => version),
        [10],
      );
      device.receive(deltaOf(10, 11, proofBy(a, at)));
      assert.deepEqual(device.store.head(), at);
    });
  }

  it('when an old one is replayed: what is signed is not new', (test) => {
    const device = new Device(test).greeted();
    device.receive(deltaOf(4, 5, proofBy(a, positionAt(5))));
    const nack = device.sent.at(-1);
    assert.ok(nack?.type === 'nack' && nack.code === 'BASE_MISMATCH');
    assert.equal(device.head, 10);
  });

  it('before it is decoded', (test) => {
    const device = new Device(test).greeted();
    const garbage = { payload: Uint8Array.of(1, 2, 3, 4) };
    device.receive({ ...deltaOf(10, 11, proofBy(stranger, at)), ...garbage });
    device.receive({ ...deltaOf(10, 11, proofBy(a, at)), ...garbage });
    assert.equal(device.refused[0], 'SIGNATURE_INVALID');
    assert.notEqual(device.refused[1], 'SIGNATURE_INVALID');
    assert.equal(device.head, 10);
  });

  it('whichever bit of its frame is another', (test) => {
    const genuine = positionAt(11);
    const frame = downstreamCodec.encode(deltaOf(10, 11, proofBy(a, genuine)));
    let device = new Device(test).greeted();
    const reactions = new Set<string>();
    for (let bit = 0; bit < 8 * frame.length; bit++) {
      const damaged = frame.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      try {
        device.receive(downstreamCodec.decode(damaged));
      } catch (error) {
        assert.ok(error instanceof FreshetError);
        reactions.add(error.code);
        device.reconnect().greeted();
      }
      for (const code of device.refused.splice(0)) reactions.add(code);
      // Some bits mean nothing to the device; then it holds what was signed, and nothing else.
      if (device.head === 10) continue;
      assert.deepEqual(device.store.head(), genuine);
      device = new Device(test).greeted();
    }
    for (const code of ['FRAME_MALFORMED', 'SIGNATURE_INVALID', 'ROOT_MISMATCH']) {
      assert.ok(reactions.has(code), [...reactions].join());
    }
  });
});

it('a snapshot is refused before it is put together', (test) => {
  const at = positionAt(12);
  const proofs = [proofBy(null, at), proofBy(stranger, at), proofBy(a, at, { position: positionAt(11) })];
  for (const proof of proofs) {
    const device = new Device(test).greeted();
    assert.throws(() => device.receive(snapshotBeginOf(12, proof)), invalid(/version 12/));
    device.receive({ type: 'snapshotChunk', index: 0, bytes: encodeSnapshotChunk(weightsOf(12)) });
    assert.equal(device.head, 10);
  }
});

describe('an order is not carried out', () => {
  const order = pinOf(7, 4);
  const altered = /command 7 is not signed as it is by publisher key/;
  const cases: Record<string, { command: DownstreamMessage; says: RegExp }> = {
    unsigned: { command: commandOf(order, null), says: /command 7 carries no signature/ },
    'by a stranger': { command: commandOf(order, stranger), says: altered },
    'for another device': { command: commandOf(order, a, { agentId: 'kitchen' }), says: altered },
    'of another line': { command: commandOf(order, a, { lineId: OTHER_LINE }), says: altered },
    'with another id': { command: commandOf(order, a, { id: 6 }), says: altered },
    'to another version': { command: commandOf(order, a, { version: asWeightsVersion(9) }), says: altered },
    'of another kind': { command: commandOf(order, a, { action: 'follow' }), says: altered },
  };
  for (const [name, { command, says }] of Object.entries(cases)) {
    it(`${name}, and not answered`, (test) => {
      const device = new Device(test).greeted();
      assert.throws(() => device.receive(command), invalid(says));
      assert.deepEqual(device.commands, []);
      assert.deepEqual(device.sent, []);
    });
  }
});

describe('keys that change', () => {
  const signedBy = (key: SigningKey, rotations: ReturnType<typeof rotationsOf>) =>
    welcomeOf(12, proofBy(key, positionAt(12)), { rotations });

  it('are followed by a device that was away meanwhile, and kept', (test) => {
    const device = new Device(test);
    device.receive(signedBy(c, rotationsOf(a, b, c)));
    device.receive(deltaOf(10, 11, proofBy(c, positionAt(11))));
    assert.equal(device.head, 11);
    assert.deepEqual(device.store.publisher.keys(), { configured: a.publicKey, current: c.publicKey });
    // The keys before it count for nothing from then on, alone or with the list as it once was.
    for (const welcome of [
      signedBy(a, []),
      signedBy(b, rotationsOf(a, b)),
      signedBy(b, rotationsOf(a, b, c)),
    ]) {
      assert.throws(() => device.reconnect().receive(welcome), untrusted(/./));
    }
    device.reconnect().receive(signedBy(c, rotationsOf(a, b, c)));
    device.receive(deltaOf(11, 12, proofBy(b, positionAt(12))));
    assert.equal(device.refused.at(-1), 'SIGNATURE_INVALID');
    assert.equal(device.head, 11);
  });

  it('are followed from wherever the device stands', (test) => {
    for (const pin of [a, b, c]) {
      const device = new Device(test, { pin });
      device.receive(signedBy(c, rotationsOf(a, b, c)));
      assert.equal(device.store.publisher.current(), c.publicKey);
    }
  });

  const broken: Record<string, ReturnType<typeof signedBy>> = {
    'leave one out': signedBy(c, [rotationBy(b, 2, c)]),
    'come in another order': signedBy(b, [rotationBy(b, 1, c), rotationBy(a, 2, b)]),
    'have another serial': signedBy(b, [rotationBy(a, 2, b)]),
    'were introduced by a stranger': signedBy(stranger, [rotationBy(stranger, 1, stranger)]),
    'introduce themselves': signedBy(b, [rotationBy(b, 1, b)]),
    'are of another line': signedBy(b, [rotationBy(a, 1, b, OTHER_LINE)]),
    'go on with a stranger': signedBy(stranger, [rotationBy(a, 1, b), rotationBy(stranger, 2, stranger)]),
    'are listed and not used': signedBy(a, rotationsOf(a, b)),
    'lead elsewhere than the signature': signedBy(stranger, rotationsOf(a, b)),
    'start at another key': signedBy(c, rotationsOf(stranger, b, c)),
  };
  for (const [name, welcome] of Object.entries(broken)) {
    it(`are not followed when they ${name}`, (test) => {
      const device = new Device(test);
      assert.throws(() => device.receive(welcome), untrusted(/./));
      assert.equal(device.store.publisher.current(), a.publicKey);
      assert.deepEqual(device.sent, []);
      device.reconnect().receive(signedBy(a, []));
    });
  }
});
