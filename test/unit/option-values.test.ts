/** What option values may say: the edges of each range, and the ways to write a number that are not meant. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { integerIn, notEmpty, numberIn, port } from '@freshet/protocol/local/option-values';
import { InvalidArgumentError } from 'commander';

const NO_NUMBERS = [
  '',
  ' ',
  'x',
  'NaN',
  'Infinity',
  '-1',
  '+1',
  '0x1',
  '1e400',
  '1,5',
  '1_000',
  '١',
  ' 1',
  '1\n',
];

function assertParses<Value>(parse: (text: string) => Value, values: Record<string, Value>): void {
  for (const [text, value] of Object.entries(values)) assert.equal(parse(text), value, text);
}

function assertRefuses(parse: (text: string) => unknown, texts: readonly string[], message: RegExp): void {
  for (const text of texts) {
    assert.throws(
      () => parse(text),
      (error) => error instanceof InvalidArgumentError && message.test(error.message),
      JSON.stringify(text),
    );
  }
}

describe('option values', () => {
  it('whole numbers from a minimum', () => {
    assertParses(integerIn(1), { '1': 1, '007': 7, '9007199254740991': Number.MAX_SAFE_INTEGER });
    const bad = [...NO_NUMBERS, '0', '1.0', '1e3', '9007199254740992', '9'.repeat(400)];
    assertRefuses(integerIn(1), bad, /^It must be a whole number of at least 1\.$/);
    assertParses(integerIn(0), { '0': 0 });
  });

  it('whole numbers up to a maximum', () => {
    assertParses(integerIn(10, 20), { '10': 10, '20': 20 });
    assertRefuses(integerIn(10, 20), ['9', '21'], /^It must be a whole number from 10 to 20\.$/);
  });

  it('shares', () => {
    assertParses(numberIn(0, 1), { '1': 1, '0.01': 0.01, '.5': 0.5, '1.': 1, '1e-3': 0.001, '25E-2': 0.25 });
    const bad = [...NO_NUMBERS, '0', '0.0', '1e-400', '1.0001', '.', 'e-3', '1e'];
    assertRefuses(numberIn(0, 1), bad, /^It must be a number above 0 and at most 1\.$/);
  });

  it('ports', () => {
    assertParses(port, { '0': 0, '7400': 7400, '65535': 65_535 });
    assertRefuses(port, [...NO_NUMBERS, '65536', '80.5'], /^It must be a port from 0 to 65535;/);
  });

  it('names', () => {
    assertParses(notEmpty, { ' ': ' ', '0.0.0.0': '0.0.0.0' });
    assertRefuses(notEmpty, [''], /^It must not be empty\.$/);
  });
});
