/** Value formats as people say them: which tensor gets which, and what is wrong where they make no sense. */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { FreshetError } from '@freshet/protocol/errors';
import { formatsOf, parseValueFormats } from '../../trainer/core/value-formats.ts';

const NAMES = ['conv1/kernel', 'conv1/bias', 'dense/kernel', 'dense/bias'];
const formatsFor = (text: string) => formatsOf(NAMES, parseValueFormats(text));

const isInvalid = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof FreshetError && error.code === 'CONFIG_INVALID', String(error));
  assert.doesNotMatch(error.message, /\n/);
  assert.match(error.message, message);
  return true;
};

describe('value formats', () => {
  it('are one for all tensors', () => {
    for (const format of ['f32', 'f16', 'bf16', 'q8', 'q4'] as const) {
      assert.deepEqual(formatsFor(format), [format, format, format, format]);
    }
  });

  it('are others for the tensors that a pattern fits; the last one counts', () => {
    assert.deepEqual(formatsFor('f16,*bias=f32'), ['f16', 'f32', 'f16', 'f32']);
    assert.deepEqual(formatsFor('f16,conv1/*=q8,*bias=f32'), ['q8', 'f32', 'f16', 'f32']);
    assert.deepEqual(formatsFor('f16,*bias=f32,conv1/*=q8'), ['q8', 'q8', 'f16', 'f32']);
    assert.deepEqual(formatsFor('q4,dense/kernel=bf16'), ['q4', 'q4', 'bf16', 'q4']);
    assert.deepEqual(formatsFor('q4,*=f32'), ['f32', 'f32', 'f32', 'f32']);
    assert.deepEqual(formatsFor('q4,*v1*i*=f32'), ['q4', 'f32', 'q4', 'q4']);
  });

  it('take every other character of a pattern for itself', () => {
    const rules = parseValueFormats('f16,a.b[0]:*=f32');
    assert.deepEqual(formatsOf(['a.b[0]:x', 'a.b[0]:'], rules), ['f32', 'f32']);
    assert.throws(() => formatsOf(['axb0:x'], rules), isInvalid(/no tensor is called a\.b\[0\]:\*/));
    assert.throws(() => formatsOf(['xa.b[0]:', 'A.b[0]:'], rules), isInvalid(/no tensor is called/));
  });

  it('are wrong where a part is none, and the message names it', () => {
    for (const [text, part] of [
      ['', '""'],
      ['f64', '"f64"'],
      ['F16', '"F16"'],
      ['f16,', '""'],
      ['f16,f32', '"f32"'],
      ['*bias=f32', '"\\*bias=f32"'],
      ['f16,*bias=', '"\\*bias="'],
      ['f16,*bias=f8', '"\\*bias=f8"'],
      ['f16,=f32', '"=f32"'],
      ['f16,*bias=f32=q8', '"\\*bias=f32=q8"'],
      ['f16, *bias=f32,q8=', '"q8="'],
    ] as const) {
      assert.throws(
        () => parseValueFormats(text),
        isInvalid(new RegExp(`^${part} in the value formats .* formats are f32, f16, bf16, q8, q4$`)),
        text,
      );
    }
  });

  it('are wrong where a pattern fits no tensor, and the message lists what there is', () => {
    assert.throws(() => formatsFor('f16,*bais=f32'), isInvalid(/\*bais .*conv1\/kernel, conv1\/bias, dense/));
  });
});
