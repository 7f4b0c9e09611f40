/** The range coder and the models that it works with: what is read is what was written, in hardly more bits than that takes. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { FREQUENCY_TOTAL, FrequencyModel } from '@freshet/protocol/payload/frequency-model';
import { RangeDecoder, RangeEncoder } from '@freshet/protocol/payload/range-coder';
import fc from 'fast-check';
import { xorshift } from '../support/hub-model.ts';
import '../support/seed.ts';

interface Written {
  /** Priors of the models. */
  readonly priors: readonly (readonly number[])[];
  /** Which model, which symbol. */
  readonly symbols: readonly (readonly [number, number])[];
}

const modelsOf = ({ priors }: Written) => priors.map((prior) => new FrequencyModel(prior));

function encode(written: Written): Uint8Array {
  const models = modelsOf(written);
  const coder = new RangeEncoder();
  for (const [model, symbol] of written.symbols) coder.write(models[model]!, symbol);
  return coder.finish();
}

function assertDecodes(bytes: Uint8Array, offset: number, written: Written): void {
  const models = modelsOf(written);
  const coder = new RangeDecoder(bytes, offset);
  for (const [i, [model, symbol]] of written.symbols.entries()) {
    const read = coder.read(models[model]!);
    if (read !== symbol) assert.fail(`symbol ${i} is ${read} instead of ${symbol}`);
  }
}

/** −log2 of the probabilities of all symbols. */
function informationBits(written: Written): number {
  const models = modelsOf(written);
  return written.symbols.reduce((bits, [number, symbol]) => {
    const model = models[number]!;
    const units = model.startOf(symbol + 1) - model.startOf(symbol);
    model.learn(symbol);
    return bits - Math.log2(units / FREQUENCY_TOTAL);
  }, 0);
}

/** One model, the same symbol over and over. */
const repeated = (prior: readonly number[], symbol: number, count: number): Written => ({
  priors: [prior],
  symbols: Array.from({ length: count }, () => [0, symbol] as const),
});

const prior = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 5000 })), {
  minLength: 1,
  maxLength: 256,
});
const written: fc.Arbitrary<Written> = fc
  .tuple(
    fc.array(prior, { minLength: 1, maxLength: 4 }),
    fc.integer({ min: 0, max: 3000 }),
    fc.nat(),
    fc.nat(8),
  )
  .map(([priors, count, drawnSeed, skew]) => {
    const random = xorshift(drawnSeed);
    const symbols = Array.from({ length: count }, () => {
      const model = random() % priors.length;
      // The larger the exponent, the more often the first symbols.
      const symbol = Math.floor((random() / 2 ** 32) ** (1 + skew) * priors[model]!.length);
      return [model, symbol] as const;
    });
    return { priors, symbols };
  });

describe('range coder', () => {
  it('reads what was written, under any models, from any offset, whatever follows', () => {
    fc.assert(
      fc.property(
        written,
        fc.uint8Array({ maxLength: 6 }),
        fc.uint8Array({ maxLength: 6 }),
        (drawn, front, back) => {
          const bytes = encode(drawn);
          assertDecodes(Buffer.concat([front, bytes, back]), front.length, drawn);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('takes as many bits as the symbols have information, and less than two bytes more', () => {
    fc.assert(
      fc.property(written, (drawn) => {
        // A range of 2^23 at least, in units of 2^−12 of it, is cut to 1 − 2^−11 of what it was: 0.0007 bits a symbol.
        const bits = informationBits(drawn) + 0.000_71 * drawn.symbols.length;
        assert.ok(encode(drawn).length < bits / 8 + 2);
      }),
      { numRuns: 150 },
    );
  });

  it('is over after a byte at most where there is nothing to say', () => {
    assert.ok(encode({ priors: [[1]], symbols: [] }).length <= 1);
    assert.ok(encode(repeated([1], 0, 100_000)).length <= 1, 'an alphabet of one symbol');
    assert.ok(encode(repeated([5, 1], 0, 1)).length <= 1);
    assert.ok(encode(repeated([1, 1], 1, 1)).length <= 1);
  });

  it('carries through any number of bytes 0xff', () => {
    // What a decoder reads from 40 00 00 … lies around that number. Below it the bytes are 3f ff ff …; only when what
    // comes behind the zeros has led beyond it, one is carried through all of them.
    for (const run of [1, 2, 3, 4, 5, 100, 5000]) {
      const target = new Uint8Array(1 + run + 20).fill(0x55);
      target.set([0x40, ...new Uint8Array(run)]);
      assertComesBack(target);
    }
  });

  it('waits with bytes 0xff that no carry comes for', () => {
    for (const run of [1, 2, 3, 4, 5, 100, 5000]) {
      const target = new Uint8Array(1 + run + 20).fill(0x55);
      target.set([0x3f, ...new Uint8Array(run).fill(0xff)]);
      assertComesBack(target);
    }
  });

  /** What `target` decodes to, by models that have learned nothing, is encoded as `target`. */
  function assertComesBack(target: Uint8Array): void {
    const uniform = new Array<number>(256).fill(1);
    // Of 8 bits each: they end some bytes before the target does, and behind its run.
    const count = target.length - 8;
    const coder = new RangeDecoder(target, 0);
    const drawn: Written = {
      priors: new Array<number[]>(count).fill(uniform),
      symbols: Array.from({ length: count }, (_, i) => [i, coder.read(new FrequencyModel(uniform))] as const),
    };
    const bytes = encode(drawn);
    assert.ok(bytes.length >= count);
    assert.deepEqual(bytes.subarray(0, -4), target.subarray(0, bytes.length - 4));
    assertDecodes(bytes, 0, drawn);
  }

  it('decodes any bytes to some symbols of the alphabet', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), prior, (bytes, drawn) => {
        for (const [, symbol] of readAs(bytes, drawn, 200).symbols) assert.ok(symbol < drawn.length);
      }),
    );
  });

  it('says how far it has looked: four bytes at first', () => {
    assert.equal(new RangeDecoder(new Uint8Array(10), 3).position, 7);
    assert.equal(new RangeDecoder(new Uint8Array(0), 0).position, 4);
  });
});

/** `count` symbols that `bytes` decode to under one model that learns. */
function readAs(bytes: Uint8Array, modelPrior: readonly number[], count: number): Written {
  const model = new FrequencyModel(modelPrior);
  const coder = new RangeDecoder(bytes, 0);
  const symbols = Array.from({ length: count }, () => [0, coder.read(model)] as const);
  return { priors: [modelPrior], symbols };
}

describe('frequency model', () => {
  function assertPartition(model: FrequencyModel, symbolCount: number): void {
    assert.equal(model.startOf(0), 0);
    assert.equal(model.startOf(symbolCount), FREQUENCY_TOTAL);
    for (let symbol = 0; symbol < symbolCount; symbol++) {
      const [start, end] = [model.startOf(symbol), model.startOf(symbol + 1)];
      assert.ok(end > start, `symbol ${symbol} has a unit`);
      assert.equal(model.symbolAt(start), symbol);
      assert.equal(model.symbolAt(end - 1), symbol);
    }
  }

  it('shares out all units, one at least to each symbol, whatever it has learned', () => {
    fc.assert(
      fc.property(prior, fc.nat(), (drawn, drawnSeed) => {
        const model = new FrequencyModel(drawn);
        const random = xorshift(drawnSeed);
        assertPartition(model, drawn.length);
        for (let i = 0; i < 300; i++) model.learn(random() % drawn.length);
        assertPartition(model, drawn.length);
      }),
      { numRuns: 50 },
    );
  });

  it('starts from its prior: the units of the worked example', () => {
    // 444 of weight; each symbol has 1 + ⌊weight × (4096 − 17) / 444⌋ units, and the first the 6 that are left over.
    const model = new FrequencyModel([185, 107, 62, 36, 21, 12, 7, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1]);
    const starts = Array.from({ length: 18 }, (_, symbol) => model.startOf(symbol));
    assert.deepEqual(
      starts,
      [
        0, 1706, 2690, 3260, 3591, 3784, 3895, 3960, 3997, 4016, 4026, 4036, 4046, 4056, 4066, 4076, 4086,
        4096,
      ],
    );
  });

  it('takes in what it has learned after 1, 2, 3, 4, 6, 9 … symbols, and every 2,048 symbols later', () => {
    const model = new FrequencyModel([1, 1]);
    const changedAfter: number[] = [];
    for (let seen = 1; seen <= 20_000; seen++) {
      const before = model.startOf(1);
      model.learn(seen % 3 === 0 ? 1 : 0);
      if (model.startOf(1) !== before) changedAfter.push(seen);
    }
    assert.deepEqual(changedAfter.slice(0, 8), [1, 2, 3, 4, 6, 9, 13, 19]);
    const late = changedAfter.filter((seen) => seen > 8000);
    assert.ok(late.every((seen, i) => i === 0 || (seen - late[i - 1]!) % 2048 === 0));
  });

  it('forgets: after a change of what comes, the new symbol soon has most of the units', () => {
    // 16,384 symbols of 64 fill the counts; the next rebuild halves them. So 30,000 times one symbol weigh as 16,384 at most.
    const model = new FrequencyModel([1, 1, 1]);
    for (let i = 0; i < 30_000; i++) model.learn(0);
    assert.ok(model.startOf(1) > 4000);
    for (let i = 0; i < 20_000; i++) model.learn(2);
    assert.ok(FREQUENCY_TOTAL - model.startOf(2) > FREQUENCY_TOTAL / 2);
    assertPartition(model, 3);
  });
});
