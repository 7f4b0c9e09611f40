/**
 * Which value format each tensor of a model travels in, as people say it: `f16`, or `f16,*bias=f32`, the first one for
 * all tensors and the others for those whose names fit a pattern; the last that fits counts.
 */
import { FreshetError } from '@freshet/protocol/errors';
import { VALUE_FORMATS, type ValueFormat } from '@freshet/protocol/payload/value-format';

export interface ValueFormatRule {
  /** Name of tensors; `*` stands for any run of characters. */
  readonly pattern: string;
  readonly format: ValueFormat;
}

/** @throws CONFIG_INVALID naming the part that is wrong */
export function parseValueFormats(text: string): readonly ValueFormatRule[] {
  return text.split(',').map((part, i) => {
    const [left = '', right, ...rest] = part.split('=');
    const isDefault = right === undefined;
    const name = isDefault ? left : right;
    const format = VALUE_FORMATS.find((each) => each === name);
    if (format === undefined || isDefault !== (i === 0) || left === '' || rest.length > 0) {
      throw new FreshetError(
        'CONFIG_INVALID',
        `"${part}" in the value formats "${text}": give one format for all tensors, then NAME=FORMAT for some, ` +
          `as in f16,*bias=f32; formats are ${VALUE_FORMATS.join(', ')}`,
      );
    }
    return { pattern: isDefault ? '*' : left, format };
  });
}

/**
 * One format for each of `names`.
 * @throws CONFIG_INVALID when a rule fits no tensor: a misspelt name must not go unnoticed.
 */
export function formatsOf(
  names: readonly string[],
  rules: readonly ValueFormatRule[],
): readonly ValueFormat[] {
  const compiled = rules.map(({ pattern, format }) => ({ pattern, format, fits: matcherOf(pattern) }));
  for (const { pattern, fits } of compiled) {
    if (names.some(fits)) continue;
    throw new FreshetError(
      'CONFIG_INVALID',
      `no tensor is called ${pattern} (value formats); there are ${names.join(', ')}`,
    );
  }
  return names.map((name) => compiled.findLast(({ fits }) => fits(name))!.format);
}

function matcherOf(pattern: string): (name: string) => boolean {
  const source = pattern.split('*').map(escapeRegExp);
  const expression = new RegExp(`^${source.join('.*')}$`, 's');
  return (name) => expression.test(name);
}

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
