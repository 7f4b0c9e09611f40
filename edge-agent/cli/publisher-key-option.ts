/** The value of `--publisher-key`: a key, a file with one, or the word that takes the pin away. */
import { readFileSync } from 'node:fs';
import type { PublicKey } from '@freshet/protocol/ids';
import { isPublicKey } from '@freshet/protocol/signature';
import { InvalidArgumentError } from 'commander';

/** @throws InvalidArgumentError, which commander turns into a message about the option */
export function publisherKey(text: string): PublicKey | 'none' {
  if (text === 'none') return 'none';
  const digits = text.startsWith('@') ? readDigits(text.slice(1)) : text.toLowerCase();
  if (isPublicKey(digits)) return digits;
  throw new InvalidArgumentError(
    'It must be the 64 hex digits that `freshet key show` prints, @ and a file with them, or none.',
  );
}

function readDigits(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim().toLowerCase();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : String(error);
    throw new InvalidArgumentError(`The file ${path} cannot be read (${code}).`);
  }
}
